"""The kernel's tables of sockets in /proc/net, as they are now or as they were at one moment.

Source: proc_net_tcp in the kernel's documentation. For each reading the kernel walks through all that it has room for, 6 ms
on a machine of 24 GB: who asks about many ports reads a table once.
"""

from __future__ import annotations

import _socket
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

TCP = ("tcp", "tcp6")
_UNIX = "unix"
_PATH = 7  # its column in the table of unix sockets
_LISTENING = "0A"  # include/net/tcp_states.h


class Tables:
    """The tables as they are, read each time."""

    def tcp(self, table: str, port: int) -> Iterator[list[str]]:
        """The rows of a local port."""
        ending, mark = f":{port:04X}", f":{port:04X} "
        for line in self._of_port(table, port):
            if mark in line and (fields := line.split())[1].endswith(ending):
                yield fields

    def unix(self, path: str) -> Iterator[list[str]]:
        """The rows of a unix socket's path."""
        for line in self._of_path(path):
            if path in line and len(fields := line.split()) > _PATH and fields[_PATH] == path:
                yield fields

    def _of_port(self, table: str, port: int) -> Iterable[str]:
        """All rows of the port, and maybe others."""
        return _lines(table)

    def _of_path(self, path: str) -> Iterable[str]:
        return _lines(_UNIX)


class Snapshot(Tables):
    """The tables as each was when it was first asked for."""

    def __init__(self) -> None:
        self._tables: dict[str, dict[str, list[str]]] = {}

    def _of_port(self, table: str, port: int) -> Iterable[str]:
        return self._of(table, f"{port:04X}")

    def _of_path(self, path: str) -> Iterable[str]:
        return self._of(_UNIX, path)

    def _of(self, table: str, key: str) -> Iterable[str]:
        if table not in self._tables:
            rows: dict[str, list[str]] = {}
            for line in _lines(table):
                rows.setdefault(_key(table, line), []).append(line)
            self._tables[table] = rows
        return self._tables[table].get(key, ())


NOW = Tables()


def octets(address: str) -> bytes:
    """An IP address as in a packet, or b"" for what is none: systemd opens no such port either."""
    try:
        return _socket.inet_pton(_socket.AF_INET6 if ":" in address else _socket.AF_INET, address)
    except OSError:
        return b""


def written(packed: bytes) -> str:
    """octets() as the kernel writes them: each 32 bits as a number of its own byte order."""
    return _each_word(packed).hex().upper()


def read(text: str) -> bytes:
    """What written() has written."""
    return _each_word(bytes.fromhex(text))


def _each_word(packed: bytes) -> bytes:
    if sys.byteorder == "big":
        return packed
    return b"".join(packed[i : i + 4][::-1] for i in range(0, len(packed), 4))


def _key(table: str, line: str) -> str:
    """What its row is asked for by."""
    if table == _UNIX:
        fields = line.split()
        return fields[_PATH] if len(fields) > _PATH else ""
    return line.split(None, 2)[1].rpartition(":")[2]


def _lines(table: str) -> Iterator[str]:
    try:
        with open(f"/proc/net/{table}", encoding="ascii", errors="replace") as file:
            next(file)
            yield from file
    except (OSError, StopIteration):
        return


def address(text: str) -> str:
    """ "0100007F:D431" as 127.0.0.1:54321."""
    host, _, port = text.partition(":")
    octets = read(host)
    if octets[:12] == b"\0" * 10 + b"\xff\xff":
        octets = octets[12:]
    if len(octets) == 4:
        return ".".join(str(octet) for octet in octets) + f":{int(port, 16)}"
    import ipaddress  # rare enough to be worth its import

    return f"[{ipaddress.ip_address(octets)}]:{int(port, 16)}"


def on_port(port: int) -> set[str]:
    """Who listens on a TCP port of this namespace: "socket:[INODE]", as /proc names descriptors."""
    return {f"socket:[{row[9]}]" for row in listening(port, NOW)}


def listening(port: int, tables: Tables) -> Iterator[list[str]]:
    for table in TCP:
        yield from (row for row in tables.tcp(table, port) if row[3] == _LISTENING)
