"""The connections to an instance's port, read from /proc/net without touching one.

Source: proc_net_tcp in the kernel's documentation; the inode of a connection that has not been
accepted yet is 0.
"""

from __future__ import annotations

import time

from sockwake.system import procnet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockwake.config.settings import Settings
    from sockwake.system.procnet import Tables

_ESTABLISHED, _CLOSE_WAIT = "01", "08"  # the client of the second has closed its half
# seconds; the kernel has already waited for a minute (DeferAcceptSec=), unless it is flooded
SPEAKS_WITHIN = 2.0
LOOK_EVERY = 0.05  # seconds
_UNIX_QUEUED, _UNIX_ACCEPTED = "02", "03"
_LOCAL = "a local client"
UNSEEN = (_LOCAL, "a client that has left")  # what a client is called that is not in the tables


class Queued:
    """A connection in the accept queue.

    said: bytes to be read; of a unix socket, whose queue does not tell, as many as a client sends.
    has_left: the other end has closed its half.
    """

    __slots__ = ("has_left", "remote", "said")

    def __init__(self, remote: str, said: int, has_left: bool = False) -> None:
        self.remote = remote
        self.said = said
        self.has_left = has_left

    def is_client(self, settings: Settings) -> bool:
        """Whether it is worth a wake: it has sent as many bytes as a client sends first.

        No PostgreSQL client closes before it has its answer. Where the server speaks first, it is
        enough not to have closed.
        """
        if self.has_left and (settings.has_cluster or not self.said):
            return False
        return self.said >= settings.first_words


def queue(settings: Settings) -> list[Queued]:
    """The connections that wait to be accepted."""
    found = []
    for fields in _connections(settings, _ESTABLISHED, _CLOSE_WAIT):
        if fields[9] == "0":
            has_left = fields[3] == _CLOSE_WAIT
            to_be_read = int(fields[4].rpartition(":")[2], 16)
            said = to_be_read - 1 if has_left else to_be_read  # the kernel counts the FIN
            found.append(Queued(procnet.address(fields[2]), said, has_left))
    for state, _ in _unix(settings):
        if state == _UNIX_QUEUED:
            found.append(Queued(_LOCAL, settings.first_words))
    return found


def connecting(settings: Settings) -> str:
    """The first client, accepted or not, as address:port; a description where none can be seen."""
    return next((remote for remote, _ in _tcp(settings)), "") or _unseen(settings)


def awaited(settings: Settings) -> str:
    """The first client in the accept queue, as address:port; "" when no connection there is one.

    Waits up to SPEAKS_WITHIN for their first bytes. With an empty queue the wake is for a client
    that has left, or was asked for by an administrator: then a description.
    """
    queued = queue(settings)
    deadline = time.monotonic() + SPEAKS_WITHIN
    while queued and not first_client(queued, settings):
        if all(each.has_left for each in queued) or time.monotonic() > deadline:
            return ""
        time.sleep(LOOK_EVERY)
        queued = queue(settings) or queued
    return first_client(queued, settings) or _unseen(settings)


def first_client(queued: list[Queued], settings: Settings) -> str:
    """The first of these connections that is a client's, as address:port, or ""."""
    return next((each.remote for each in queued if each.is_client(settings)), "")


def _unseen(settings: Settings) -> str:
    """What to call a client that is not in the tables."""
    return UNSEEN[0 if settings.has_unix_socket else 1]


def connected(settings: Settings, tables: Tables = procnet.NOW) -> int:
    """The number of established connections, accepted or not."""
    tcp = sum(1 for _ in _connections(settings, _ESTABLISHED, tables=tables))
    return tcp + sum(1 for _ in _unix(settings, tables))


def each(settings: Settings) -> set[str]:
    """What tells each connection from the others: its remote address, or its socket's inode."""
    return {remote for remote, _ in _tcp(settings)} | {inode for _, inode in _unix(settings)}


def pending(settings: Settings) -> bool:
    """Whether a connection waits to be accepted, or has bytes to be read (of TCP alone)."""
    for fields in _connections(settings, _ESTABLISHED):
        is_queued, is_read = fields[9] == "0", fields[4].endswith(":00000000")
        if is_queued or not is_read:
            return True
    return any(state == _UNIX_QUEUED for state, _ in _unix(settings))


def is_owed(settings: Settings) -> bool:
    """Whether any connection has unacknowledged data (Send-Q > 0)."""
    return any(
        not fields[4].startswith("00000000:") for fields in _connections(settings, _ESTABLISHED)
    )


def _tcp(settings: Settings) -> Iterator[tuple[str, str]]:
    """(remote address, inode) of every established connection to the port."""
    for fields in _connections(settings, _ESTABLISHED):
        yield procnet.address(fields[2]), fields[9]


def _connections(
    settings: Settings, *states: str, tables: Tables = procnet.NOW
) -> Iterator[list[str]]:
    """The rows of the instance's addresses, of the tables that can have any.

    Another instance may have the same port at other addresses.
    """
    for (table, port), hosts in _hosts(settings).items():
        for fields in tables.tcp(table, port):
            if fields[3] in states and ("" in hosts or fields[1].rpartition(":")[0] in hosts):
                yield fields


def _hosts(settings: Settings) -> dict[tuple[str, int], set[str]]:
    """The instance's addresses by table and port, as they are written there; "" for every one."""
    found: dict[tuple[str, int], set[str]] = {}
    for item, port in settings.places:
        if packed := procnet.octets(item):
            host = procnet.written(packed) if any(packed) else ""
            found.setdefault(("tcp6" if ":" in item else "tcp", port), set()).add(host)
    return found


def _unix(settings: Settings, tables: Tables = procnet.NOW) -> Iterator[tuple[str, str]]:
    """(state, inode) of every connection to a unix socket of the instance."""
    for path in {item for item in settings.listen if item.startswith("/")}:
        for fields in tables.unix(path):
            if fields[5] in (_UNIX_QUEUED, _UNIX_ACCEPTED):
                yield fields[5], fields[6]
