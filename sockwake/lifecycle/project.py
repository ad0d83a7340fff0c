"""A compose project on its way to serving its clients: its containers found or made, its ports proven."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

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
    project = _read(settings)
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


def await_ports(services: Services, settings: Settings) -> None:
    """Return once each port takes connections; raises SockwakeError when one does not in time.

    With READY=http:/PATH the first of them has to answer that.
    """
    deadline = time.monotonic() + settings.start_timeout
    path = settings.ready.removeprefix(_HTTP) if settings.ready.startswith(_HTTP) else ""
    for each in dict.fromkeys(port.backend for port in settings.ports):
        _await_port(services, *each, path, deadline)
        path = ""


def backends(services: Services, ports: tuple[Endpoint, ...]) -> list[tuple[int, str]]:
    """(how many listening sockets, the address of their server), in the order of the sockets."""
    found: list[tuple[int, str]] = []
    for each in ports:
        address = services.runs[each.service].address
        where = f"{f'[{address}]' if ':' in address else address}:{each.target}"
        if found and found[-1][1] == where:
            found[-1] = (found[-1][0] + 1, where)
        else:
            found.append((1, where))
    return found


def _services(
    engine: Engine, members: list[Member], settings: Settings, write: Callable[[str, bytes], object]
) -> Services:
    return Services(engine, members, write, {each.service for each in settings.ports})


def _await_port(services: Services, service: str, port: int, path: str, deadline: float) -> None:
    """Return once the server behind a port answers. path: what it is asked for by HTTP, if any."""
    run = services.runs[service]
    pause = _FIRST_PROBE
    while time.monotonic() < deadline:
        if run.state == ENDED:
            raise run.how_it_ended()
        try:
            with socket.create_connection(
                (run.address, port), deadline - time.monotonic()
            ) as probe:
                if not path or http.is_ready(http.ask(probe, path)):
                    return
        except OSError:
            pass
        services.relay(1000 * pause)
        pause = min(2 * pause, _LAST_PROBE)
    raise SockwakeError(f"service '{service}' did not answer on port {port} in time")
