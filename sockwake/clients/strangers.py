"""Close connections that never become clients: port scans, TCP health checks, silent peers.

They, too, make systemd start the proxy and with it the backend. Only the port's queue tells whether that is worth it
(connections.Visitor). The waker can see the queue, the proxy has the socket: so when there is no client in it, the proxy
hands the listening sockets to the waker, over a unix socket beside the ready file, and waits for its end.

A client who comes meanwhile must not be turned away with them. So the first in a queue is accepted only after it has
been seen that nobody in any queue is a client, or may be about to become one: who was first before that still is.
"""

from __future__ import annotations

import select
import socket
import time

from sockwake.clients import connections
from sockwake.system import journal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockwake.clients.connections import Visitor
    from sockwake.config.settings import Settings

_GOES_ON_FOR = 10.0  # seconds; who is left then makes the socket start all anew


def turn_away(listeners: list[socket.socket], settings: Settings) -> bool:
    """Accept and close until there is nobody, or a client, who stays where he is. Returns whether there is one."""
    seen: dict[str, float] = {}
    dismissed = Dismissed()
    deadline = time.monotonic() + _GOES_ON_FOR
    try:
        while (queues := waited_at(listeners)) and (now := time.monotonic()) < deadline:
            visitors = connections.queue(settings)
            if connections.first_client(visitors, settings):
                return True
            if _may_be_dismissed(visitors, seen, now):
                for listener in queues:
                    dismissed.add(listener)
            else:
                time.sleep(connections.LOOK_EVERY)
    finally:
        dismissed.sum_up()
    return False


class Dismissed:
    """The connections that were accepted and closed: one line in the journal for all of them, because anybody can make as
    many as he likes."""

    def __init__(self) -> None:
        self._count = 0
        self._last = ""

    def add(self, listener: socket.socket) -> None:
        """Accept and close the first in its queue."""
        try:
            connection, address = listener.accept()
        except OSError:
            return  # it has gone, and left nothing to close
        connection.close()
        self._count += 1
        self._last = (
            f"{address[0]}:{address[1]}" if isinstance(address, tuple) else "a local client"
        )

    def sum_up(self) -> None:
        if self._count == 1:
            journal.say(f"turned away {self._last}, which sent nothing")
        elif self._count:
            journal.say(
                f"turned away {self._count} connections that sent nothing, the last from {self._last}"
            )


def _may_be_dismissed(visitors: list[Visitor], seen: dict[str, float], now: float) -> bool:
    """Whether they have had their time. seen: since when each was there; now: both of time.monotonic().

    Nobody to see in a queue that is not empty is one who was reset, or for a moment one whom /proc does not show yet.
    """
    if not visitors:
        return now - seen.setdefault("", now) >= connections.LOOK_EVERY
    staying = [visitor.remote for visitor in visitors if not visitor.has_left]
    return all(
        now - seen.setdefault(remote, now) >= connections.SPEAKS_WITHIN for remote in staying
    )


def waited_at(listeners: list[socket.socket]) -> list[socket.socket]:
    """Those in whose queue somebody is, and be it one who has left again without a trace in /proc."""
    return select.select(listeners, [], [], 0)[0]
