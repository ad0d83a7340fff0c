"""Proof that the PostgreSQL in a container takes queries, and only from who knows a password."""

from __future__ import annotations

import select
import time

from sockwake import netns, postgres
from sockwake.engine import connect
from sockwake.errors import SockwakeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
    from collections.abc import Callable

    from sockwake.container import Container
    from sockwake.instance import Instance, Settings

_PATIENCE = 10  # seconds for each step of a connection
_PROBE_EVERY = 1  # ms; a probe of a sleeping server costs 30 µs


def await_ready(container: Container, instance: Instance, settings: Settings, write: Callable[[bytes], object]) -> None:
    """Return once the server takes queries and asks for a password; raises SockwakeError when it never does.

    A server that is alive but still recovering after start_timeout is handed over as it is: it tells
    its clients so itself, as it would without us, and stopping it would only start its recovery anew.
    """
    poll = select.poll()
    poll.register(container.fd, select.POLLIN)
    deadline = time.monotonic() + settings.start_timeout
    socket_path = f"{instance.backend}/{postgres.SOCKET_NAME}"
    server = 0
    while time.monotonic() < deadline:
        if poll.poll(_PROBE_EVERY) and not container.relay(write):
            raise SockwakeError(container.how_it_ended())
        if not server:
            pid = postgres.listener(socket_path)
            server = pid if postgres.is_main_process(pid) else 0
        elif postgres.is_settled(server):
            break
    waited = f"within {settings.start_timeout:g} s"
    _judge(_ask(lambda: connect(socket_path, _PATIENCE), settings), waited)
    if not server:
        raise SockwakeError(
            f"the server on its socket is not the container's process 1 {waited}",
            "compose.yaml must not say init: true",
        )
    if settings.tls:
        _judge(
            _ask(lambda: netns.connect(server, _PATIENCE), settings),
            f"on TCP port {netns.PORT} of its container {waited}",
        )


def _ask(connection: Callable[[], _socket.socket], settings: Settings) -> str:
    try:
        return postgres.ask(connection(), settings.db_user, settings.db_name)
    except OSError:
        return postgres.SILENT


def _judge(answer: str, waited: str) -> None:
    """Raise SockwakeError unless this answer to a stranger is a database's to trust."""
    if answer == postgres.TRUSTS:
        raise SockwakeError("its server lets strangers in without a password", "pg_hba.conf must not say trust")
    if answer == postgres.SILENT:
        raise SockwakeError(f"its server did not answer {waited}")
