"""Proof that a backend serves, in the protocol its clients speak."""

from __future__ import annotations

import select
import time

from sockwake.errors import SockwakeError
from sockwake.lifecycle import probe as probing
from sockwake.lifecycle.probe import HTTP, LONGER, READY, SILENT, WRONG, Pace, Probe, Sight
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
    from sockwake.lifecycle.attached import Attached
    from sockwake.lifecycle.entrypoint import Ask
    from sockwake.lifecycle.probe import Wait

_PATIENCE = 1  # seconds for a connection to a server that is there
_LAST_MOMENTS = 5  # seconds for the end of one that was there and does not answer
# seconds between two looks at the process table of a PostgreSQL, or at a closed port, which cost
# the server nothing and us 100 µs; and between two questions that a server has to answer
_LOOKS = (0.001, 0.04, 0.25, 0.2)
_KNOCKS = (0.001, 0.04, 0.25, 0.05)
_QUESTIONS = (0.005, 0.2, 1.0)
_INSIDE = "/var/run/postgresql"  # where a container has the directory of a PostgreSQL's socket


def await_ready(
    container: Container, instance: Instance, settings: Settings, write: Callable[[bytes], object]
) -> None:
    """Return once the server in a container serves; raises SockwakeError when it never does."""
    wait = relaying(container, write)

    def stays(deadline: float) -> bool:
        from sockwake.lifecycle import entrypoint

        first = pid or container.pid()
        return entrypoint.stays(first, instance, settings, wait, deadline, _healthcheck(container))

    pid = container.pid() if settings.backend_port and not settings.has_cluster else 0
    if settings.has_cluster:
        await_postgres(instance, settings, wait)
    else:
        await_server(pid, instance, settings, wait, stays)


def _healthcheck(container: Container) -> Ask | None:
    """What asks the healthcheck of an engine's container, if it has one."""
    if b'"Healthcheck":{' not in container.inspected:
        return None
    import json

    from sockwake.engine.healthcheck import Healthcheck

    check = Healthcheck(json.loads(container.inspected))
    if not check.test:
        return None
    return lambda longest: check.ask(container.engine, container.name, longest)


def relaying(container: Attached, write: Callable[[bytes], object]) -> Wait:
    """A wait() that passes on what a container writes meanwhile, and raises when it ends."""

    def wait(seconds: float, fd: int) -> None:
        deadline = time.monotonic() + seconds
        poll = select.poll()
        poll.register(container.fd, select.POLLIN)
        if fd >= 0:
            poll.register(fd, select.POLLIN)
        is_over = False
        while not is_over:
            found = [each for each, _ in poll.poll(1000 * max(deadline - time.monotonic(), 0))]
            if container.fd in found and not container.relay(write):
                raise ended_early(container)
            is_over = fd in found or time.monotonic() >= deadline

    return wait


def ended_early(container: Attached) -> SockwakeError:
    """The error to raise for a container that has ended before it was ready."""
    from sockwake.lifecycle import early_end

    return early_end.explained(container)


def await_server(
    pid: int,
    instance: Instance,
    settings: Settings,
    wait: Wait,
    stays: Callable[[float], bool] = lambda _: True,
) -> None:
    """Return once the server in the namespace of process pid, or on its unix socket, answers.

    stays: whether the server that has answered is there to stay; may take until the deadline.
    A server that is only BUSY after start_timeout is handed over: it can tell its clients itself.
    """
    deadline = time.monotonic() + settings.start_timeout
    sight = _ask_until_ready(pid, instance, settings, wait, deadline)
    while sight.state == READY and not stays(deadline):
        sight = _ask_until_ready(pid, instance, settings, wait, deadline)
    if sight.state in (SILENT, WRONG):
        raise SockwakeError(
            f"{_unanswered(settings)} within {settings.start_timeout:g} s: {sight.what}",
            sight.hint,
            said=sight.said,
        )
    if not settings.backend_port:
        _lengthen_queue(postmaster.listener(f"{instance.backend}/{settings.socket_name}"))
    elif pid and namespaces.is_shared(pid):
        from sockwake.system import port_owner

        port_owner.require_owner(settings.backend_port, pid)


def _ask_until_ready(
    pid: int, instance: Instance, settings: Settings, wait: Wait, deadline: float
) -> Sight:
    """What was seen last: READY, or what the server still was at the deadline.

    Every question stays open until it is answered: the first page of some takes its time. A wrong
    answer tells more than the silence of a server that is still busy with that.
    """
    knocks, questions = Pace(*_KNOCKS), None
    door = _Door(pid, instance, settings)
    sight = wrong = probing.unopened(settings.backend_port)
    while (left := deadline - time.monotonic()) > 0:
        sock = door.open(min(left, _PATIENCE))
        if not sock:
            wait(min(knocks.pause(), left), -1)
            continue
        probe = Probe(sock, settings.ready, settings.probe_host)
        try:
            while (sight := probe.read()).state == SILENT and left > 0:
                wait(left, probe.fd)
                left = deadline - time.monotonic()
        finally:
            probe.close()
        if sight.state == READY:
            break
        wrong = sight if sight.state == WRONG else wrong
        questions = questions or Pace(*_QUESTIONS)
        wait(max(min(questions.pause(), deadline - time.monotonic()), 0), -1)
    door.close()
    return wrong if sight.state == SILENT and wrong.state == WRONG else sight


class _Door:
    """Where a server is to answer. While it is closed one socket serves for every look at it."""

    def __init__(self, pid: int, instance: Instance, settings: Settings) -> None:
        self._pid = pid
        self._port = settings.backend_port
        self._path = f"{instance.backend}/{settings.socket_name}"
        self._sock: _socket.socket | None = None

    def open(self, timeout: float) -> _socket.socket | None:
        """A connection to the server; None while it does not listen."""
        try:
            if not self._port:
                return unix_socket.connect(self._path, timeout)
            sock = self._sock or namespaces.stream_in(self._pid)
            self._sock = sock
            sock.settimeout(timeout)
            try:
                sock.connect(("127.0.0.1", self._port))
            except ConnectionAbortedError:  # of the look before, which the kernel tells once more
                sock.connect(("127.0.0.1", self._port))
        except ConnectionRefusedError:
            return None
        except OSError:
            self.close()
            return None
        self._sock = None
        return sock

    def close(self) -> None:
        if self._sock:
            self._sock.close()
            self._sock = None


def _unanswered(settings: Settings) -> str:
    protocol = "HTTP " if settings.ready.startswith(HTTP) else ""
    if settings.backend_port:
        return f"its server did not answer {protocol}on port {settings.backend_port}"
    return f"its server did not answer {protocol}on socket {settings.socket_name}"


def await_postgres(instance: Instance, settings: Settings, wait: Wait, main: int = 0) -> None:
    """Return once the server takes queries, and asks for a password.

    main: the process id it must have; 0 where it is process 1 of a container.

    A server that is alive but still recovering after start_timeout is handed over as it is: it
    tells its clients so itself, as it would without us, and stopping it would only start its
    recovery anew.
    """
    deadline = time.monotonic() + settings.start_timeout
    socket_path = f"{instance.backend}/{settings.socket_name}"
    server = 0
    looks = Pace(*_LOOKS)
    while (left := deadline - time.monotonic()) > 0:
        wait(min(looks.pause(), left), -1)
        if not server:
            pid = postmaster.listener(socket_path)
            is_it = pid == main if main else postmaster.is_main_process(pid)
            server = pid if is_it else 0
            if server and not settings.backend_port:
                _lengthen_queue(server)  # beside its own start
        elif postmaster.is_settled(server):
            break
    waited = f"within {settings.start_timeout:g} s"
    answer = _ask(lambda: unix_socket.connect(socket_path, _PATIENCE), settings)
    other = "" if server else postmaster.elsewhere(settings.cluster, _INSIDE, instance.backend)
    if other:
        waited += ", as by its own settings it listens elsewhere"
    _judge(answer, wait, waited, f"{other} is in a file in {settings.cluster}" if other else LONGER)
    if not server and main:
        raise SockwakeError(f"the server on its socket is not its unit's main process {waited}")
    if not server:
        raise SockwakeError(
            f"the server on its socket is not the container's process 1 {waited}",
            "compose.yaml must not say init: true",
        )
    if settings.tls:
        port = settings.backend_port
        answer = _ask(lambda: namespaces.connect(server, port, _PATIENCE), settings)
        file = instance.service_file if main else instance.compose_file
        needs = f"with TLS=yes it has to have listen_addresses=127.0.0.1 and ssl=on in {file}"
        _judge(answer, wait, f"on TCP port {port} in its network", needs)


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


def _judge(answer: str, wait: Wait, waited: str, hint: str = LONGER) -> None:
    """Raise SockwakeError when a server trusts strangers, or has not answered.

    One that is stopped as soon as it takes queries does not answer, and wait() raises its end.
    """
    if answer == postgres.TRUSTS:
        raise SockwakeError(
            "its server lets strangers in without a password", "pg_hba.conf must not say trust"
        )
    if answer == postgres.SILENT:
        wait(_LAST_MOMENTS, -1)
        raise SockwakeError(f"its server did not answer {waited}", hint)
