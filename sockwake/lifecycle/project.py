"""A compose project on its way to serve clients: containers found or made, ports proven."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from sockwake.config.endpoint import Endpoint
from sockwake.config.instance import Instance
from sockwake.config.settings import Settings
from sockwake.engine import project_containers
from sockwake.engine.api import Engine
from sockwake.engine.project_containers import Member
from sockwake.errors import SockwakeError
from sockwake.lifecycle import runtime
from sockwake.lifecycle.service_run import ServiceRun
from sockwake.lifecycle.services import Services
from sockwake.protocol import http

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockwake.engine.compose_project import ComposeProject

_FIRST_PROBE, _LAST_PROBE = 0.005, 0.25  # seconds between two probes of a port, doubled each time
_HTTP = "http:"
_PATIENCE = 3  # seconds for a connection; an address that cannot be reached from the host has none
_POLL = 5  # ms


def find(
    engine: Engine, instance: Instance, settings: Settings, write: Callable[[str, bytes], object]
) -> Services:
    """The project's services, made anew when a file was edited or a container is gone.

    write: takes a service's name and what it wrote.
    """
    found = project_containers.members(engine, instance)
    return _services(engine, found or make(engine, instance, settings), settings, write)


def make_anew(
    engine: Engine, instance: Instance, settings: Settings, write: Callable[[str, bytes], object]
) -> Services:
    """The project's services, of containers and networks that compose has just made."""
    return _services(engine, make(engine, instance, settings), settings, write)


def make(engine: Engine, instance: Instance, settings: Settings) -> list[Member]:
    """Have compose make what is missing of the project, or no longer what its files say."""
    from sockwake.engine import compose_inputs, compose_project

    project = _read(settings)
    compose_project.require_safe(project.directory, compose_inputs.inputs(project))
    found = project_containers.create(engine, instance, project, timeout=settings.start_timeout)
    missing = {each.service for each in settings.ports} - {each.service for each in found}
    if missing:
        raise SockwakeError(
            f"the project in {settings.project} has no service '{min(missing)}' any more",
            f"PORTS= in {instance.env_file} names it",
        )
    return found


def images(settings: Settings) -> list[str]:
    """The images of the project's services."""
    return list(dict.fromkeys(each.image for each in _read(settings).services.values()))


def _read(settings: Settings) -> ComposeProject:
    from sockwake.engine import compose_project

    return compose_project.read(settings.project, settings.profiles)


class Backend(NamedTuple):
    """One server: how many of the listening sockets lead to it, and the file of its door."""

    sockets: int
    door: str


class Doors:
    """The ports of a project on their way to being served: each opens when its server answers.

    A project is awake with its first port. Clients of another wait in its queue until that opens,
    too, or the time is over. Each is probed by a thread of its own: a server that lets a probe wait
    holds up no other.
    """

    def __init__(self, services: Services, settings: Settings, deadline: float) -> None:
        """deadline: when the ports have had their time, by time.monotonic()."""
        self._services = services
        self._deadline = deadline
        self._closed = list(dict.fromkeys(port.backend for port in settings.ports))
        self._path = ""  # what the first is asked for by HTTP, if anything
        if settings.ready.startswith(_HTTP):
            self._path = settings.ready.removeprefix(_HTTP)
        self._first = self._closed[0]
        self._all = len(self._closed)
        self._changed = threading.Condition()
        self._on_change: Callable[[], object] = lambda: None
        for backend in self.closed:  # of the list itself the first may be gone by the second
            threading.Thread(target=self._probe, args=backend, daemon=True).start()

    @property
    def closed(self) -> list[tuple[str, int]]:
        """(service, port) of each that no server has answered on."""
        return list(self._closed)

    def await_first(self) -> None:
        """Return once a port is served; raises SockwakeError when none is in time."""
        while len(self._closed) == self._all:
            self._services.relay(_POLL)
            self._services.require_serving()
            if time.monotonic() > self._deadline:
                raise self._unserved()

    def await_all(self, longest: float) -> None:
        """Return once all ports are served, or after so many seconds."""
        deadline = min(time.monotonic() + longest, self._deadline)
        while self._closed and time.monotonic() < deadline:
            self._services.relay(_POLL)

    def follow(self, step: Callable[[], object]) -> None:
        """Have step called whenever a port opens from now on, and when the time is over."""
        with self._changed:
            self._on_change = step
            step()

    @property
    def are_given_up(self) -> bool:
        """Whether the closed ones have had their time."""
        return time.monotonic() >= self._deadline

    def _probe(self, service: str, port: int) -> None:
        """Ask one port until its server answers, or its time is over."""
        pause = _FIRST_PROBE
        while (left := self._deadline - time.monotonic()) > 0:
            if self._answers(service, port, left):
                with self._changed:
                    self._closed.remove((service, port))
                    self._on_change()
                return
            time.sleep(min(pause, max(self._deadline - time.monotonic(), 0)))
            pause = min(2 * pause, _LAST_PROBE)
        with self._changed:
            self._on_change()

    def _answers(self, service: str, port: int, longest: float) -> bool:
        """Whether a server answers within so many seconds; then its address is the service's."""
        run = self._services.runs[service]
        path = self._path if (service, port) == self._first else ""
        for address in list(run.addresses):
            try:
                with socket.create_connection((address, port), min(_PATIENCE, longest)) as probe:
                    probe.settimeout(longest)
                    if path and not http.is_ready(http.ask(probe, path)):
                        continue
            except OSError:
                continue
            run.addresses = sorted(run.addresses, key=lambda each: each != address)
            return True
        return False

    def _unserved(self) -> SockwakeError:
        """Why no port is served: what its service ended of, if it did time and again."""
        service, port = self._first
        run = self._services.runs[service]
        if run.end:
            return run.end
        if not run.addresses:
            return SockwakeError(
                f"service '{service}' has no network, so no client can be led to its port {port}"
            )
        return SockwakeError(f"service '{service}' did not answer on port {port} in time")


def backends(ports: tuple[Endpoint, ...]) -> list[Backend]:
    """Each server, in the order of the sockets."""
    found: list[Backend] = []
    for each in ports:
        door = door_of(*each.backend)
        if found and found[-1].door == door:
            found[-1] = Backend(found[-1].sockets + 1, door)
        else:
            found.append(Backend(1, door))
    return found


def is_woken_for(instance: Instance, settings: Settings) -> bool:
    """Whether its proxies lead each of these ports to its server: they take sockets by their order.

    Not so behind an edit of PORTS=, until it is woken anew, nor before it has been woken.
    """
    return runtime.are_announced(instance, backends(settings.ports))


def place(run: ServiceRun, port: int) -> str:
    """A port of a service as systemd-socket-proxyd takes it, a dead one without a network.

    That splits at the last colon: an IPv6 address has no brackets there.
    """
    address = run.address or "0.0.0.0"
    return f"{address}:{port if run.address else 0}"


def door_of(service: str, port: int) -> str:
    """The name of the file that is there when a port is served."""
    return f"open-{service}-{port}"


def _services(
    engine: Engine, members: list[Member], settings: Settings, write: Callable[[str, bytes], object]
) -> Services:
    return Services(engine, members, write, {each.service for each in settings.ports})
