"""Who is connected to an instance's port, read from /proc/net without touching a connection.

Source: proc_net_tcp in the kernel's documentation; the inode column is 0 for a connection nobody has accepted yet.
"""

from __future__ import annotations

import time

from sockwake.system import procnet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockwake.config.settings import Settings
    from sockwake.system.procnet import Tables

_ESTABLISHED, _CLOSE_WAIT = (
    "01",
    "08",
)  # the second has closed its half; in the kernel's count that is a byte, too
SPEAKS_WITHIN = (
    2.0  # seconds; the kernel has already waited for a minute (DeferAcceptSec=), but when flooded
)
LOOK_EVERY = 0.05  # seconds
_UNIX_CONNECTED = ("02", "03")  # not accepted yet, and accepted


class Visitor:
    """A connection in the accept queue.

    said: bytes that wait to be read; of a unix socket, whose queue does not tell, as many as it takes.
    """

    __slots__ = ("has_left", "remote", "said")

    def __init__(self, remote: str, said: int, has_left: bool = False) -> None:
        self.remote = remote
        self.said = said
        self.has_left = has_left

    def is_client(self, settings: Settings) -> bool:
        """Whether this is worth a wake: it has said as much as a client says first, and no PostgreSQL client hangs up
        before it has its answer. Where the server speaks first, it is enough to stay."""
        if self.has_left and (settings.has_cluster or not self.said):
            return False
        return self.said >= settings.first_words


def queue(settings: Settings) -> list[Visitor]:
    """Who waits to be accepted."""
    visitors = []
    for fields in _connections(settings, _ESTABLISHED, _CLOSE_WAIT):
        if fields[9] == "0":
            has_left = fields[3] == _CLOSE_WAIT
            visitors.append(
                Visitor(
                    procnet.address(fields[2]),
                    int(fields[4].rpartition(":")[2], 16) - has_left,
                    has_left,
                )
            )
    return visitors + [
        Visitor("a local client", settings.first_words)
        for state, _ in _unix(settings)
        if state == _UNIX_CONNECTED[0]
    ]


def connecting(settings: Settings) -> str:
    """Who is connected, accepted or not, as address:port, or what can be said when there is nobody to see."""
    return next((remote for remote, _ in _tcp(settings)), "") or _unseen(settings)


def awaited(settings: Settings) -> str:
    """Who waits in the queue, after a moment for those in there to say their first words; "" when none of them is a client.

    Without a queue it was somebody who left no trace, or who starts units by hand.
    """
    visitors = queue(settings)
    deadline = time.monotonic() + SPEAKS_WITHIN
    while visitors and not first_client(visitors, settings):
        if all(visitor.has_left for visitor in visitors) or time.monotonic() > deadline:
            return ""
        time.sleep(LOOK_EVERY)
        visitors = queue(settings) or visitors
    return first_client(visitors, settings) or _unseen(settings)


def first_client(visitors: list[Visitor], settings: Settings) -> str:
    """The first of them that is a client as address:port, or ""."""
    return next((visitor.remote for visitor in visitors if visitor.is_client(settings)), "")


def _unseen(settings: Settings) -> str:
    return "a local client" if settings.has_unix_socket else "a client that has left"


def connected(settings: Settings, tables: Tables = procnet.NOW) -> int:
    """How many clients hold a connection, accepted or not."""
    tcp = sum(1 for _ in _connections(settings, _ESTABLISHED, tables=tables))
    return tcp + sum(1 for _ in _unix(settings, tables))


def each(settings: Settings) -> set[str]:
    """Whoever is connected, by what tells one from the others."""
    return {remote for remote, _ in _tcp(settings)} | {inode for _, inode in _unix(settings)}


def pending(settings: Settings) -> bool:
    """Whether somebody waits to be accepted, or has said something that nobody has read. A unix socket does not tell."""
    if any(
        fields[9] == "0" or not fields[4].endswith(":00000000")
        for fields in _connections(settings, _ESTABLISHED)
    ):
        return True
    return any(state == _UNIX_CONNECTED[0] for state, _ in _unix(settings))


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
    """The rows of the instance's addresses; another one may have the same port at others. Only the tables that can have any
    are read."""
    for (table, port), hosts in _hosts(settings).items():
        for fields in tables.tcp(table, port):
            if fields[3] in states and ("" in hosts or fields[1].rpartition(":")[0] in hosts):
                yield fields


def _hosts(settings: Settings) -> dict[tuple[str, int], set[str]]:
    """The instance's IP addresses by their table and port, as they are written there; "" for all."""
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
            if fields[5] in _UNIX_CONNECTED:
                yield fields[5], fields[6]
