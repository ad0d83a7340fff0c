"""Proof that a backend serves, in the protocol its clients speak."""

from __future__ import annotations

import select
import time

from sockwake.errors import SockwakeError
from sockwake.postgres import postmaster
from sockwake.protocol import postgres
from sockwake.system import namespaces, unix_socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
    from collections.abc import Callable

    from sockwake.config.instance import Instance
    from sockwake.config.settings import Settings
    from sockwake.engine.container import Container

_PATIENCE = 10  # seconds for each step of a connection
_PROBE_EVERY = 1  # ms; a probe of a sleeping server costs 30 µs
_HTTP = "http:"
# what a probe finds: the server serves, says that it does not yet (503), or says nothing. No enum,
# which would cost the wake 5 ms
READY, BUSY, NOTHING = "ready", "busy", "nothing"


def await_ready(
    container: Container, instance: Instance, settings: Settings, write: Callable[[bytes], object]
) -> None:
    """Return once the server in a container serves; raises SockwakeError when it never does."""
    poll = select.poll()
    poll.register(container.fd, select.POLLIN)

    def wait() -> None:
        if poll.poll(_PROBE_EVERY) and not container.relay(write):
            raise container.how_it_ended()

    if settings.has_cluster:
        await_postgres(instance, settings, wait)
    else:
        await_server(container.pid() if settings.backend_port else 0, instance, settings, wait)


def await_server(
    pid: int, instance: Instance, settings: Settings, wait: Callable[[], None]
) -> None:
    """Return once the server in the namespace of process pid, or on its unix socket, answers.

    wait: lets a moment pass; raises SockwakeError when there is nothing left to wait for.
    A server that is only BUSY after start_timeout is handed over: it can tell its clients itself.
    """
    answer = NOTHING
    deadline = time.monotonic() + settings.start_timeout
    while answer != READY and time.monotonic() < deadline:
        wait()
        sock = _connect(pid, instance, settings)
        if sock:
            answer = probe(sock, settings.ready)
    if answer == NOTHING:
        raise SockwakeError(f"{_unanswered(settings)} within {settings.start_timeout:g} s")
    if not settings.backend_port:
        _lengthen_queue(postmaster.listener(f"{instance.backend}/{settings.socket_name}"))
    elif pid and namespaces.is_shared(pid):
        from sockwake.system import port_owner

        port_owner.require_owner(settings.backend_port, pid)


def probe(sock: _socket.socket, ready: str) -> str:
    """What a server says on a fresh connection, by the proof of READY=; closes the connection."""
    if not ready.startswith(_HTTP):
        sock.close()
        return READY
    from sockwake.protocol import http

    status = http.ask(sock, ready.removeprefix(_HTTP))
    if http.is_ready(status):
        return READY
    return BUSY if status else NOTHING


def _connect(pid: int, instance: Instance, settings: Settings) -> _socket.socket | None:
    """A connection to the server; None while it does not listen."""
    try:
        if settings.backend_port:
            return namespaces.connect(pid, settings.backend_port, _PATIENCE)
        return unix_socket.connect(f"{instance.backend}/{settings.socket_name}", _PATIENCE)
    except OSError:
        return None


def _unanswered(settings: Settings) -> str:
    protocol = "HTTP " if settings.ready.startswith(_HTTP) else ""
    if settings.backend_port:
        return f"its server did not answer {protocol}on port {settings.backend_port}"
    return f"its server did not answer {protocol}on socket {settings.socket_name}"


def await_postgres(instance: Instance, settings: Settings, wait: Callable[[], None]) -> None:
    """Return once the server takes queries, and asks for a password.

    wait: as in await_server().
    A server that is alive but still recovering after start_timeout is handed over as it is: it
    tells its clients so itself, as it would without us, and stopping it would only start its
    recovery anew.
    """
    deadline = time.monotonic() + settings.start_timeout
    socket_path = f"{instance.backend}/{settings.socket_name}"
    server = 0
    while time.monotonic() < deadline:
        wait()
        if not server:
            pid = postmaster.listener(socket_path)
            server = pid if postmaster.is_main_process(pid) else 0
            if server and not settings.backend_port:
                _lengthen_queue(server)  # beside its own start
        elif postmaster.is_settled(server):
            break
    waited = f"within {settings.start_timeout:g} s"
    answer = _ask(lambda: unix_socket.connect(socket_path, _PATIENCE), settings)
    _judge(answer, waited)
    if not server:
        raise SockwakeError(
            f"the server on its socket is not the container's process 1 {waited}",
            "compose.yaml must not say init: true",
        )
    if settings.tls:
        port = settings.backend_port
        answer = _ask(lambda: namespaces.connect(server, port, _PATIENCE), settings)
        _judge(answer, f"on TCP port {port} of its container {waited}")


def _lengthen_queue(pid: int) -> None:
    """Let a server's listening sockets queue as many connections as the kernel allows."""
    from sockwake.system import pidfd

    try:
        pidfd.lengthen(pid)
    except OSError:
        pass  # it has ended, or is not ours to touch; fewer clients can then come at once


def _ask(connection: Callable[[], _socket.socket], settings: Settings) -> str:
    """A PostgreSQL server's answer to a startup message: one of sockwake.protocol.postgres."""
    try:
        return postgres.ask(connection(), settings.db_user, settings.db_name)
    except OSError:
        return postgres.SILENT


def _judge(answer: str, waited: str) -> None:
    """Raise SockwakeError when a server trusts strangers, or has not answered."""
    if answer == postgres.TRUSTS:
        raise SockwakeError(
            "its server lets strangers in without a password", "pg_hba.conf must not say trust"
        )
    if answer == postgres.SILENT:
        raise SockwakeError(f"its server did not answer {waited}")
