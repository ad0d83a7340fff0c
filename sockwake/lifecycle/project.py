"""A compose project on its way to serve clients: containers found or made, ports proven."""

from __future__ import annotations

import socket
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
from sockwake.lifecycle.services import ENDED, Services
from sockwake.protocol import http

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockwake.engine.compose_project import ComposeProject

_FIRST_PROBE, _LAST_PROBE = 0.005, 0.25  # seconds between two probes of a port, doubled each time
_HTTP = "http:"
_PATIENCE = 10  # seconds for one probe


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
    """One server: how many listening sockets are its, its address, and the file of its door."""

    sockets: int
    address: str
    door: str


class Doors:
    """The ports of a project on their way to being served: each opens when its server answers.

    A project is awake with its first port. Clients of another wait in its queue until that opens.
    """

    def __init__(self, services: Services, settings: Settings) -> None:
        self._services = services
        self._deadline = time.monotonic() + settings.start_timeout
        self._closed = list(dict.fromkeys(port.backend for port in settings.ports))
        self._path = ""  # what the first is asked for by HTTP, if anything
        if settings.ready.startswith(_HTTP):
            self._path = settings.ready.removeprefix(_HTTP)
        self._first = self._closed[0]
        self._pause = _FIRST_PROBE

    @property
    def closed(self) -> list[tuple[str, int]]:
        """(service, port) of each that no server has answered on."""
        return list(self._closed)

    def await_first(self) -> None:
        """Return once a port is served; raises SockwakeError when none is in time."""
        before = len(self._closed)
        while len(self._closed) == before:
            if time.monotonic() > self._deadline:
                service, port = self._first
                raise SockwakeError(f"service '{service}' did not answer on port {port} in time")
            self._services.relay(1000 * self.probe())

    def await_all(self, longest: float) -> None:
        """Return once all ports are served, or after so many seconds."""
        deadline = min(time.monotonic() + longest, self._deadline)
        while self._closed and time.monotonic() < deadline:
            self._services.relay(1000 * self.probe())

    def probe(self) -> float:
        """Ask each closed port once; returns the seconds to wait before the next time."""
        opened = [each for each in self._closed if self._answers(*each)]
        self._closed = [each for each in self._closed if each not in opened]
        self._pause = min(2 * self._pause, _LAST_PROBE)
        return self._pause

    @property
    def are_given_up(self) -> bool:
        """Whether the closed ones have had their time."""
        return time.monotonic() > self._deadline

    def _answers(self, service: str, port: int) -> bool:
        run = self._services.runs[service]
        if run.state == ENDED:
            raise run.how_it_ended()
        path = self._path if (service, port) == self._first else ""
        try:
            with socket.create_connection((run.address, port), _PATIENCE) as probe:
                return not path or http.is_ready(http.ask(probe, path))
        except OSError:
            return False


def backends(services: Services, ports: tuple[Endpoint, ...]) -> list[Backend]:
    """Each server, in the order of the sockets."""
    found: list[Backend] = []
    for each in ports:
        address = services.runs[each.service].address
        where = f"{f'[{address}]' if ':' in address else address}:{each.target}"
        if found and found[-1].address == where:
            found[-1] = Backend(found[-1].sockets + 1, where, found[-1].door)
        else:
            found.append(Backend(1, where, door_of(*each.backend)))
    return found


def door_of(service: str, port: int) -> str:
    """The name of the file that is there when a port is served."""
    return f"open-{service}-{port}"


def _services(
    engine: Engine, members: list[Member], settings: Settings, write: Callable[[str, bytes], object]
) -> Services:
    return Services(engine, members, write, {each.service for each in settings.ports})
