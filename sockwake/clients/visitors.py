"""Who is connected to an instance: address, silence and, of a client on this host, its process."""

from __future__ import annotations

import os
import pwd
from contextlib import suppress
from dataclasses import dataclass

from sockwake.config.settings import Settings
from sockwake.errors import SockwakeError
from sockwake.system import port_owner, procnet, ss

_ESTABLISHED = "01"
_INODE, _UID = 9, 7  # columns of /proc/net/tcp


@dataclass(frozen=True)
class Visitor:
    """One connection to an instance.

    address: address and port, or the path of the unix socket it came by. silent: seconds since the
    last byte either way, None when the kernel does not tell. pid, program, user: of the process on
    this host that has it open; 0 and "" of another machine's, and where it may not be known.
    inode: of the socket that was accepted for it, 0 while it waits.
    """

    address: str
    silent: float | None = None
    pid: int = 0
    program: str = ""
    user: str = ""
    inode: int = 0

    def facts(self) -> dict[str, object]:
        """What --json says of it."""
        return {
            "from": self.address,
            "silent_seconds": None if self.silent is None else round(self.silent, 1),
            "pid": self.pid or None,
            "program": self.program or None,
            "user": self.user or None,
        }


def each(settings: Settings) -> list[Visitor]:
    """Every connection to an instance, accepted or not."""
    tables = procnet.Snapshot()
    owners: dict[str, int] = {}
    rows = _tcp(settings, tables)
    peers = {
        inode: (path, int(own))
        for path in _paths(settings)
        for inode, own in ss.unix_peers(path).items()
    }
    if peers or any(other for _, other in rows):
        owners = port_owner.owners()
    silences: dict[str, float] = {}
    with suppress(SockwakeError):
        silences = {found.remote: found.since_byte for found in ss.each(settings.places)}
    visitors = []
    for row, other in rows:
        address = procnet.address(row[2])
        pid = owners.get(f"socket:[{other[_INODE]}]", 0) if other else 0
        user = _name(int(other[_UID])) if other else ""
        program, inode = port_owner.program(pid), int(row[_INODE])
        visitors.append(Visitor(address, silences.get(address), pid, program, user, inode))
    for other_end, (path, inode) in peers.items():
        pid = owners.get(f"socket:[{other_end}]", 0)
        program = port_owner.program(pid)
        visitors.append(Visitor(path, None, pid, program, _user_of(pid), inode))
    return visitors


def _tcp(settings: Settings, tables: procnet.Tables) -> list[tuple[list[str], list[str] | None]]:
    """The kernel's row of each connection, and that of its other end if that is on this host."""
    found = {}
    for address, port in settings.places:
        packed = procnet.octets(address)
        table = "tcp6" if ":" in address else "tcp"
        for row in tables.tcp(table, port) if packed else ():
            host = row[1].rpartition(":")[0]
            if row[3] == _ESTABLISHED and (not any(packed) or host == procnet.written(packed)):
                found[row[1], row[2]] = row, _other_end(row, table, tables)
    return list(found.values())


def _other_end(row: list[str], table: str, tables: procnet.Tables) -> list[str] | None:
    port = int(row[2].rpartition(":")[2], 16)
    ends = (each for each in tables.tcp(table, port) if (each[1], each[2]) == (row[2], row[1]))
    return next(ends, None)


def _paths(settings: Settings) -> list[str]:
    return [item for item in settings.listen if item.startswith("/")]


def _user_of(pid: int) -> str:
    try:
        return _name(os.stat(f"/proc/{pid}").st_uid) if pid else ""
    except OSError:
        return ""


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
