"""Which process listens on a port, for a backend that shares its network namespace with others.

Every user's process may listen on a free port, and while an instance sleeps its backend's is free.
"""

from __future__ import annotations

from sockwake.errors import SockwakeError
from sockwake.system import pidfd, pids, procnet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sockwake.system.procnet import Tables

_MOST_LOOKS = 5  # of a server that opens and closes sockets all the time


def require_owner(port: int, pid: int) -> None:
    """Raise SockwakeError when a process outside the cgroup of process pid listens on a TCP port.

    Only two looks in a row that find the same socket with the same owner count, because a server
    that starts opens and closes sockets and processes meanwhile. Looks at this network namespace.
    """
    cgroup, before = pids.cgroup(pid), dict[str, int]()
    owner = 0
    for _ in range(_MOST_LOOKS):
        outsiders = _outsiders(port, cgroup)
        if not outsiders:
            return
        if found_twice := before.items() & outsiders.items():
            owner = max(pid for _, pid in found_twice)
            break
        before = outsiders
    culprit = f" (process {owner}, {program(owner)})" if owner else ""
    raise SockwakeError(f"port {port} is in use by another program{culprit}")


def _outsiders(port: int, cgroup: str) -> dict[str, int]:
    """The listeners outside a cgroup, each with a process that has it, 0 when none is seen."""
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
    """The process that listens on an address of an instance, for a message; "" for none.

    owners: from owners().
    """
    inodes = {
        f"socket:[{row[9]}]"
        for row in procnet.listening(port, tables)
        if _is_in_the_way(row, listen)
    }
    pid = min((owners[inode] for inode in inodes if inode in owners), default=0)
    return described(pid) if inodes else ""


def described(pid: int) -> str:
    """A process for a message; 0 for one that is not known."""
    return f"process {pid} ({program(pid)})" if pid else "another process"


def _is_in_the_way(row: list[str], listen: Sequence[str]) -> bool:
    """Whether a listening socket has an address of the instance, or either of them has all."""
    theirs = procnet.read(row[1].partition(":")[0])
    if not any(theirs):
        return True
    ours = list(map(procnet.octets, listen))
    return theirs in ours or bytes(len(theirs)) in ours


def owners() -> dict[str, int]:
    """Every open socket by its name in /proc, with the first process that has it."""
    found: dict[str, int] = {}
    for pid in pids.every():
        for name in _sockets(pid):
            if name.startswith("socket:"):
                found.setdefault(name, pid)
    return found


def program(pid: int) -> str:
    """What a process calls itself; "" for 0."""
    if not pid:
        return ""
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return "ended"


def _sockets(pid: int) -> set[str]:
    """The descriptors of a process by name; none when it has ended or may not be looked into."""
    try:
        return set(pidfd.named(pid))
    except OSError:
        return set()
