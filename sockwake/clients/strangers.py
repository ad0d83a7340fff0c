"""Close connections that never become clients: port scans, TCP health checks, silent peers.

They, too, make systemd start the proxy, and with it the backend. Only the port's accept queue tells
whether that is worth it (connections.Queued). The waker can see the queue, the proxy has the
socket: when there is no client in the queue, the proxy hands its listening sockets to the waker
(lifecycle/handover.py).

A client that comes meanwhile must not be closed with them. So a connection is accepted only when no
connection in any queue is a client's, or may become one: the first in a queue stays the first.
"""

from __future__ import annotations

import select
import socket
import time

from sockwake.clients import connections
from sockwake.system import journal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockwake.clients.connections import Queued
    from sockwake.config.settings import Settings

# seconds; a connection that is left then makes systemd start the proxy anew
_GOES_ON_FOR = 10.0
# what became of one that is closed; of the second kind is a client that did not wait for its answer
_SILENT, _HAD_LEFT = "sent nothing", "sent too little, or had left"


def turn_away(listeners: list[socket.socket], settings: Settings, name: str) -> bool:
    """Accept and close connections until the queues are empty, or there is a client in one.

    name: the instance's. Returns whether there is a client; it stays in its queue.
    """
    first_seen: dict[str, float] = {}
    closed = Closed(name)
    deadline = time.monotonic() + _GOES_ON_FOR
    try:
        while (waiting := not_empty(listeners)) and (now := time.monotonic()) < deadline:
            queued = connections.queue(settings)
            if connections.first_client(queued, settings):
                return True
            if _have_had_their_time(queued, first_seen, now):
                for listener in waiting:
                    closed.add(listener)
            else:
                time.sleep(connections.LOOK_EVERY)
    finally:
        closed.sum_up()
    return False


class Closed:
    """The connections that were accepted and closed, in one line of the journal however many."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._count = 0
        self._last = ""
        self._ways: set[str] = set()

    def add(self, listener: socket.socket) -> None:
        """Accept and close the first in its queue."""
        try:
            connection, address = listener.accept()
        except OSError:
            return  # it was reset meanwhile
        self._ways.add(_HAD_LEFT if _has_spoken(connection) else _SILENT)
        connection.close()
        self._count += 1
        is_tcp = isinstance(address, tuple)
        self._last = f"{address[0]}:{address[1]}" if is_tcp else "a local client"

    def sum_up(self) -> None:
        """Write how many there were."""
        last, count = self._last, self._count
        how = ", ".join(way for way in (_SILENT, _HAD_LEFT) if way in self._ways)
        said = f"turned away {last}, which {how}"
        if count > 1:
            said = f"turned away {count} connections that {how}, the last from {last}"
        if count:
            journal.record("strangers", self._name, said, client=last, count=count)


def _has_spoken(connection: socket.socket) -> bool:
    """Whether there is a byte from its other end, which may have gone since."""
    try:
        return bool(connection.recv(1, socket.MSG_DONTWAIT))
    except OSError:
        return False


def _have_had_their_time(queued: list[Queued], first_seen: dict[str, float], now: float) -> bool:
    """Whether every connection has had SPEAKS_WITHIN to become a client's.

    first_seen: since when each was there; now: both by time.monotonic(). A queue that is not empty
    without a connection in /proc has one that was reset, or that /proc does not show yet.
    """
    if not queued:
        return now - first_seen.setdefault("", now) >= connections.LOOK_EVERY
    staying = [each.remote for each in queued if not each.has_left]
    since = [first_seen.setdefault(remote, now) for remote in staying]
    return all(now - at >= connections.SPEAKS_WITHIN for at in since)


def not_empty(listeners: list[socket.socket]) -> list[socket.socket]:
    """Those whose accept queue is not empty, be it with one that was reset."""
    return select.select(listeners, [], [], 0)[0]
