"""Whose listening port it is, for a backend that shares its network namespace with others.

Anybody can listen on a free port, and while an instance sleeps its backend's port is free.
"""

from __future__ import annotations

from sockwake.errors import SockwakeError
from sockwake.system import pidfd, pids, procnet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sockwake.system.procnet import Tables

_MOST_LOOKS = 5  # after each the last one's strangers have gone, and others come


def require_owner(port: int, pid: int) -> None:
    """Raise SockwakeError unless every listener on a TCP port of this namespace belongs to the cgroup of process pid.

    A socket is accused only when two looks in a row find it with the same owner: a server that starts opens and closes
    sockets and processes while it is looked at.
    """
    cgroup, before = pids.cgroup(pid), dict[str, int]()
    owner = 0
    for _ in range(_MOST_LOOKS):
        strangers = _strangers(port, cgroup)
        if not strangers:
            return
        if found_twice := before.items() & strangers.items():
            owner = max(pid for _, pid in found_twice)
            break
        before = strangers
    who = f" (process {owner}, {_program(owner)})" if owner else ""
    raise SockwakeError(f"port {port} is in use by another program{who}")


def _strangers(port: int, cgroup: str) -> dict[str, int]:
    """The listening sockets that no process of a cgroup holds, each with one that does; 0 when none is to be seen."""
    found = dict.fromkeys(procnet.on_port(port), 0)
    for pid in pids.every() if found else ():
        for inode in found.keys() & _sockets(pid):
            if pids.is_within(pids.cgroup(pid), cgroup):
                del found[inode]
            else:
                found[inode] = pid
        if not found:
            break
    return found


def holder(listen: Sequence[str], port: int, tables: Tables, owners: Mapping[str, int]) -> str:
    """Who listens where an instance would, as far as can be seen; "" for nobody. owners: of owners()."""
    inodes = {
        f"socket:[{row[9]}]"
        for row in procnet.listening(port, tables)
        if _is_in_the_way(row, listen)
    }
    pid = min((owners[inode] for inode in inodes if inode in owners), default=0)
    if pid:
        return f"process {pid} ({_program(pid)})"
    return "another process" if inodes else ""


def _is_in_the_way(row: list[str], listen: Sequence[str]) -> bool:
    """Whether a listening socket takes an address of the instance: the same one, or either has all of them."""
    theirs = procnet.read(row[1].partition(":")[0])
    if not any(theirs):
        return True
    ours = list(map(procnet.octets, listen))
    return theirs in ours or bytes(len(theirs)) in ours


def owners() -> dict[str, int]:
    """Every socket that a process has open, as /proc names it, with the first such process."""
    found: dict[str, int] = {}
    for pid in pids.every():
        for name in _sockets(pid):
            if name.startswith("socket:"):
                found.setdefault(name, pid)
    return found


def _program(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return "ended"


def _sockets(pid: int) -> set[str]:
    """What a process has open; nothing when it has ended, or is not ours to look into, and then it is a stranger's."""
    try:
        return set(pidfd.named(pid))
    except OSError:
        return set()
