"""A compose project for sockwake-new: which of its ports wake it, and what is printed of it."""

from __future__ import annotations

import os
from argparse import Namespace
from contextlib import suppress

from sockwake.admin.request import Request
from sockwake.config.endpoint import Endpoint
from sockwake.engine import compose_inputs, compose_project, project_containers
from sockwake.engine.api import Engine, EngineError, socket_of
from sockwake.engine.compose_project import ComposeProject, Port
from sockwake.errors import USAGE, SockwakeError


def decide(request: Request, arguments: Namespace, addresses: list[str]) -> None:
    """Settle which of the project's ports wake it; raises SockwakeError before anything is touched.

    addresses: those of --listen, none when it was not given.
    """
    if not arguments.compose:
        raise SockwakeError("--compose is missing", "--compose /srv/shop", USAGE)
    if any(item.startswith("/") for item in addresses):
        raise SockwakeError("a project has no unix socket", "--listen takes its addresses", USAGE)
    path = arguments.compose
    found = read(path, tuple(dict.fromkeys(arguments.profile)), root=request.root)
    request.listen = []
    request.endpoints = endpoints(
        found, service=arguments.service or "", port=arguments.port, listen=addresses
    )
    _require_reachable(found, request.endpoints)
    request.warnings += warnings(found)
    if arguments.copy:
        is_directory = os.path.isdir(request.root + path)
        request.copy_from = request.root + (path if is_directory else os.path.dirname(path))
        request.data = request.data_directory
        request.lines["DATA"] = request.data
        path = request.data + ("" if is_directory else f"/{os.path.basename(path)}")
    elif not request.root:
        compose_project.require_safe(found.directory, compose_inputs.inputs(found))
        engine = Engine(socket_of(request.engine))
        with suppress(EngineError):  # which --no-provision can do without
            project_containers.require_asleep(engine, found)
    request.lines["PROJECT"] = path


def read(path: str, profiles: tuple[str, ...], *, root: str = "") -> ComposeProject:
    """The project at a path, which can be put to sleep; raises SockwakeError."""
    project = compose_project.read(root + path, profiles)
    project.require_possible()
    project.require_set()
    return project


def endpoints(
    project: ComposeProject, *, service: str = "", port: int | None = None, listen: list[str]
) -> list[Endpoint]:
    """Where clients come to, in the order of the file; raises SockwakeError (usage).

    service, port: only the ports of that service, only that published port. listen: other addresses
    than those the file publishes at.
    """
    chosen = [each for each in project.ports if _is_asked_for(each, service, port)]
    if service and service not in project.services:
        raise SockwakeError(
            f"the project in {project.directory} has no service '{service}'",
            f"it has {', '.join(project.services)}",
            USAGE,
        )
    if not chosen:
        what = f"no port {port}" if port else "no TCP port"
        where = f"service '{service}'" if service else f"the project in {project.directory}"
        published = ", ".join(f"{each.port} ({each.service})" for each in project.ports)
        raise SockwakeError(f"{where} publishes {what}", f"published are {published}", USAGE)
    return [
        Endpoint(address, each.port, each.service, each.target)
        for each in chosen
        for address in (listen or each.addresses)
    ]


def _require_reachable(project: ComposeProject, chosen: list[Endpoint]) -> None:
    """Raise SockwakeError (usage) for a port that its service cannot have or be reached at."""
    for each in chosen:
        mode = project.config["services"][each.service].get("network_mode")
        where = f"service '{each.service}' of the project in {project.directory}"
        if mode == "none":
            raise SockwakeError(
                f"{where} has no network, so no client can be led to its port {each.target}",
                f"leave out network_mode: none, or the port {each.port}",
                USAGE,
            )
        if mode == "host" and each.port == each.target:
            raise SockwakeError(
                f"{where} takes port {each.port} of the host itself (network_mode: host)",
                f"have its server listen on another, as in ports: ['{each.port}:8080']",
                USAGE,
            )


def warnings(project: ComposeProject) -> list[str]:
    """What compose has warned of, a sentence each."""
    return [
        f"variable {name} is not set in {project.directory}/.env: it is taken as empty"
        for name in project.unset
    ]


def _is_asked_for(each: Port, service: str, port: int | None) -> bool:
    return (not service or each.service == service) and (port is None or each.port == port)
