"""Who is connected to an instance's port, read from /proc/net without touching a connection.

Source: proc_net_tcp in the kernel's documentation; the inode column is 0 for a connection nobody has accepted yet.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockwake.settings import Settings

_ESTABLISHED = "01"
_UNIX_CONNECTED = ("02", "03")  # not accepted yet, and accepted


def waiting(settings: Settings) -> str:
    """The first client in the queue of the port as address:port, or what can be said when there is none to see."""
    for remote, inode in _tcp(settings.port):
        if inode == "0":
            return remote
    return "a local client" if any(item.startswith("/") for item in settings.listen) else "a client that has left"


def connected(settings: Settings) -> int:
    """How many clients hold a connection, accepted or not."""
    return sum(1 for _ in _tcp(settings.port)) + sum(1 for _ in _unix(settings))


def each(settings: Settings) -> set[str]:
    """Whoever is connected, by what tells one from the others."""
    return {remote for remote, _ in _tcp(settings.port)} | {inode for _, inode in _unix(settings)}


def pending(settings: Settings) -> bool:
    """Whether somebody waits to be accepted, or has said something that nobody has read. A unix socket does not tell."""
    if any(fields[9] == "0" or not fields[4].endswith(":00000000") for fields in _established(settings.port)):
        return True
    return any(state == _UNIX_CONNECTED[0] for state, _ in _unix(settings))


def is_owed(settings: Settings) -> bool:
    """Whether somebody has been sent something that he has not acknowledged yet."""
    return any(not fields[4].startswith("00000000:") for fields in _established(settings.port))


def knock(settings: Settings) -> None:
    """Connect to where the clients do, and hang up."""
    import _socket

    where = settings.listen[0]
    family = _socket.AF_UNIX if where.startswith("/") else _socket.AF_INET6 if ":" in where else _socket.AF_INET
    sock = _socket.socket(family, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
    sock.settimeout(1)
    try:
        sock.connect(where if family == _socket.AF_UNIX else (where, settings.port))
    except OSError:
        pass  # it is asleep by now
    finally:
        sock.close()


def _tcp(port: int) -> Iterator[tuple[str, str]]:
    """(remote address, inode) of every established connection to a local port."""
    for fields in _established(port):
        yield _address(fields[2]), fields[9]


def _established(port: int) -> Iterator[list[str]]:
    suffix = f":{port:04X}"
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for fields in _rows(table):
            if fields[1].endswith(suffix) and fields[3] == _ESTABLISHED:
                yield fields


def _unix(settings: Settings) -> Iterator[tuple[str, str]]:
    """(state, inode) of every connection to a unix socket of the instance."""
    paths = {item for item in settings.listen if item.startswith("/")}
    for fields in _rows("/proc/net/unix") if paths else ():
        if len(fields) > 7 and fields[7] in paths and fields[5] in _UNIX_CONNECTED:
            yield fields[5], fields[6]


def _rows(table: str) -> Iterator[list[str]]:
    try:
        with open(table, encoding="ascii", errors="replace") as file:
            next(file)
            for line in file:
                yield line.split()
    except (OSError, StopIteration):
        return


def _address(text: str) -> str:
    """ "0100007F:D431" as 127.0.0.1:54321; the kernel writes each 32 bits in its own byte order."""
    host, _, port = text.partition(":")
    octets = b"".join(bytes.fromhex(host[i : i + 8])[::-1] for i in range(0, len(host), 8))
    if octets[:12] == b"\0" * 10 + b"\xff\xff":
        octets = octets[12:]
    if len(octets) == 4:
        return ".".join(str(octet) for octet in octets) + f":{int(port, 16)}"
    import ipaddress  # rare enough to be worth its import

    return f"[{ipaddress.ip_address(octets)}]:{int(port, 16)}"
