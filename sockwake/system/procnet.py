"""The kernel's tables of sockets in /proc/net, read each time or once.

Source: proc_net_tcp in the kernel's documentation. For each reading the kernel walks its whole hash
table, 6 ms on a machine of 24 GB: a Snapshot reads a table once for many ports.
"""

from __future__ import annotations

import _socket
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

TCP = ("tcp", "tcp6")
_UNIX = "unix"
UNIX_INODE, _PATH = 6, 7  # columns of the table of unix sockets
_LISTENING = "0A"  # include/net/tcp_states.h
_ACCEPTS = "00010000"  # the flag of a unix socket that listens, include/linux/net.h


class Tables:
    """The tables, read anew for each question."""

    def tcp(self, table: str, port: int) -> Iterator[list[str]]:
        """The rows of a local TCP port, split into fields. table: one of TCP."""
        ending, mark = f":{port:04X}", f":{port:04X} "
        for line in self._of_port(table, port):
            if mark in line and (fields := line.split())[1].endswith(ending):
                yield fields

    def unix(self, path: str) -> Iterator[list[str]]:
        """The rows of a unix socket's path, split into fields."""
        for line in self._of_path(path):
            if path in line and len(fields := line.split()) > _PATH and fields[_PATH] == path:
                yield fields

    def _of_port(self, table: str, port: int) -> Iterable[str]:
        """The lines of a port, and maybe of others."""
        return _lines(table)

    def _of_path(self, path: str) -> Iterable[str]:
        return _lines(_UNIX)


class Snapshot(Tables):
    """The tables, each read once, at the first question about it."""

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
    """An IP address in network byte order; b"" for text that is no address."""
    try:
        return _socket.inet_pton(_socket.AF_INET6 if ":" in address else _socket.AF_INET, address)
    except OSError:
        return b""


def written(packed: bytes) -> str:
    """An address from octets() as the kernel writes it: each 32 bits in host byte order."""
    return _each_word(packed).hex().upper()


def read(text: str) -> bytes:
    """The octets() of an address that the kernel, or written(), wrote."""
    return _each_word(bytes.fromhex(text))


def _each_word(packed: bytes) -> bytes:
    if sys.byteorder == "big":
        return packed
    return b"".join(packed[i : i + 4][::-1] for i in range(0, len(packed), 4))


def _key(table: str, line: str) -> str:
    """The key of a row in a Snapshot: the path, or the local port."""
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
    """Format an address and port of the kernel: "0100007F:D431" is 127.0.0.1:54321."""
    host, _, port = text.partition(":")
    octets = read(host)
    if octets[:12] == b"\0" * 10 + b"\xff\xff":
        octets = octets[12:]
    if len(octets) == 4:
        return ".".join(str(octet) for octet in octets) + f":{int(port, 16)}"
    import ipaddress  # slow to import, and only for IPv6

    return f"[{ipaddress.ip_address(octets)}]:{int(port, 16)}"


def on_port(port: int) -> set[str]:
    """The sockets that listen on a TCP port of this network namespace, as "socket:[INODE]"."""
    return {f"socket:[{row[9]}]" for row in listening(port, NOW)}


def listeners() -> dict[str, tuple[str, int]]:
    """Where each socket of this network namespace listens, by its inode: an address, and its port.

    Of a unix socket it is the path, and 0.
    """
    found = {}
    for table in TCP:
        for fields in map(str.split, _lines(table)):
            if fields[3] == _LISTENING:
                host, _, port = fields[1].partition(":")
                family = _socket.AF_INET6 if table == "tcp6" else _socket.AF_INET
                found[fields[9]] = (_socket.inet_ntop(family, read(host)), int(port, 16))
    for fields in (line.split(None, _PATH) for line in _lines(_UNIX)):
        if accepts(fields) and len(fields) > _PATH:
            found[fields[UNIX_INODE]] = (fields[_PATH].rstrip("\n"), 0)
    return found


def accepts(row: list[str]) -> bool:
    """Whether a row of the table of unix sockets is of one that listens."""
    return row[3] == _ACCEPTS


def listening(port: int, tables: Tables) -> Iterator[list[str]]:
    for table in TCP:
        yield from (row for row in tables.tcp(table, port) if row[3] == _LISTENING)
