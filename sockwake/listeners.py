"""Whose listening port it is, for a backend that shares its network namespace with others.

Anybody can listen on a free port, and while an instance sleeps its backend's port is free.
"""

from __future__ import annotations

import os

from sockwake.errors import SockwakeError

_LISTENING = "0A"  # include/net/tcp_states.h


def require_owner(port: int, pid: int) -> None:
    """Raise SockwakeError unless every listener on a TCP port of this namespace belongs to the cgroup of process pid."""
    inodes = on_port(port)
    cgroup = _cgroup(pid)
    for process in filter(str.isdigit, os.listdir("/proc")):
        if not inodes:
            return
        holds = _sockets(process) & inodes
        if holds and _is_within(_cgroup(int(process)), cgroup):
            inodes -= holds
        elif holds:
            raise SockwakeError(f"port {port} is not its own: process {process} has taken it")
    if inodes:
        raise SockwakeError(f"port {port} is not its own")


def holder(port: int) -> str:
    """Who listens on a TCP port of this namespace, as far as can be seen; "" for nobody."""
    inodes = on_port(port)
    for process in filter(str.isdigit, os.listdir("/proc")) if inodes else ():
        if _sockets(process) & inodes:
            return f"process {process} ({_program(process)})"
    return "another process" if inodes else ""


def _program(process: str) -> str:
    try:
        with open(f"/proc/{process}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return "ended"


def on_port(port: int) -> set[str]:
    """Who listens on a TCP port of this namespace: "socket:[INODE]", as /proc names descriptors."""
    suffix = f":{port:04X}"
    found = set()
    for table in ("/proc/self/net/tcp", "/proc/self/net/tcp6"):
        try:
            with open(table, encoding="ascii", errors="replace") as file:
                rows = [line.split() for line in file]
        except OSError:
            continue
        found |= {f"socket:[{row[9]}]" for row in rows[1:] if row[1].endswith(suffix) and row[3] == _LISTENING}
    return found


def _sockets(process: str) -> set[str]:
    folder = f"/proc/{process}/fd"
    found = set()
    try:
        for fd in os.listdir(folder):
            found.add(os.readlink(f"{folder}/{fd}"))
    except OSError:
        pass  # it has ended, or it is not ours to look into, and then it is a stranger's
    return found


def _cgroup(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/cgroup", encoding="utf-8", errors="replace") as file:
            return next((line[3:].rstrip("\n") for line in file if line.startswith("0::")), "")
    except OSError:
        return ""


def _is_within(cgroup: str, other: str) -> bool:
    return bool(other) and (cgroup == other or cgroup.startswith(f"{other}/"))
