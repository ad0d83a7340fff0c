"""A compose project for sockwake-new: which of its ports wake it, and what is printed of it."""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from sockwake.admin import inventory
from sockwake.admin.make.request import Request
from sockwake.config.endpoint import Endpoint
from sockwake.config.settings import Settings, load_if_valid
from sockwake.engine import compose_inputs, compose_limits, compose_project, project_containers
from sockwake.engine.api import Engine, EngineError, socket_of
from sockwake.engine.compose_project import ComposeProject, Port
from sockwake.errors import EXISTS, USAGE, SockwakeError


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
    request.images = list(dict.fromkeys(each.image for each in found.services.values()))
    request.endpoints = endpoints(
        found, service=arguments.service or "", port=arguments.port, listen=addresses
    )
    _require_reachable(found, request.endpoints)
    request.warnings += compose_limits.warnings(found)
    if not request.root:
        files = compose_inputs.inputs(found)
        compose_project.require_safe(found.directory, files, is_copied=arguments.copy)
    if arguments.copy:
        _require_whole(found)
        is_directory = os.path.isdir(request.root + path)
        request.copy_from = request.root + (path if is_directory else os.path.dirname(path))
        request.data = request.data_directory
        request.lines["DATA"] = request.data
        path = request.data + ("" if is_directory else f"/{os.path.basename(path)}")
        found = _moved(found, request.data)
    require_unclaimed(found, request.root)
    from sockwake.admin.make import engine_choice  # 10 ms that no other command needs

    engine_choice.settle(request, arguments.engine, engine_choice.of_project(found))
    engine = Engine(socket_of(request.engine))
    if not request.root:
        with suppress(EngineError):  # which --no-provision can do without
            project_containers.require_asleep(engine, found)
            compose_limits.require_present(engine, found)
    request.lines["PROJECT"] = path


def read(path: str, profiles: tuple[str, ...], *, root: str = "") -> ComposeProject:
    """The project at a path, which can be put to sleep; raises SockwakeError."""
    project = compose_project.read(root + path, profiles)
    compose_limits.require_possible(project)
    project.require_set()
    return project


def require_unclaimed(found: ComposeProject, root: str, *, but: str = "") -> None:
    """Raise SockwakeError (exists) when another instance has the project, or its compose name.

    but: the name of the instance that has it already.
    """
    for other in (*inventory.unfinished(root), *inventory.instances(root)):
        settings = load_if_valid(other)
        if other.name == but or not settings or not settings.is_project:
            continue
        try:
            theirs = compose_project.read(root + settings.project, settings.profiles)
        except SockwakeError:
            continue  # it was moved, or cannot be read: it is not this one
        if theirs.name == found.name:
            where = "" if theirs.directory == found.directory else f", in {theirs.directory}"
            raise SockwakeError(
                f"instance '{other.name}' has the compose project '{found.name}' already{where}",
                "one project is one instance; another one needs a name: of its own in its file",
                EXISTS,
            )


def endpoints(
    project: ComposeProject, *, service: str = "", port: int | None = None, listen: list[str]
) -> list[Endpoint]:
    """Where clients come to, in the order of the file; raises SockwakeError (usage).

    service, port: only the ports of that service, only that published port. listen: other addresses
    than those the file publishes at.
    """
    chosen = [each for each in project.ports if _is_asked_for(each, service, port)]
    if service:
        _require_service(project, service)
    if not chosen:
        what = f"no port {port}" if port else "no TCP port"
        where = f"service '{service}'" if service else f"the project in {project.directory}"
        published = ", ".join(f"{each.port} ({each.service})" for each in project.ports)
        raise SockwakeError(f"{where} publishes {what}", f"published are {published}", USAGE)
    found = [
        Endpoint(address, each.port, each.service, each.target)
        for each in chosen
        for address in (listen or each.addresses)
    ]
    places: dict[tuple[str, int], Endpoint] = {}
    for one in found:  # with --listen a port may be published at several addresses
        other = places.setdefault((one.address, one.port), one)
        if other.backend != one.backend:
            raise SockwakeError(
                f"port {one.port} at {one.address} is both service '{other.service}' and "
                f"'{one.service}' of the project in {project.directory}",
                "take one with --service",
                USAGE,
            )
    return list(places.values())


def require_fit(settings: Settings, root: str, name: str) -> None:
    """Raise SockwakeError when the project of an instance's settings cannot be what they say.

    name: of the instance.
    """
    found = read(settings.project, settings.profiles, root=root)
    for each in settings.ports:
        _require_service(found, each.service)
    _require_reachable(found, settings.ports)
    if not root:
        compose_project.require_safe(found.directory, compose_inputs.inputs(found), is_copied=False)
    require_unclaimed(found, root, but=name)


def _require_service(project: ComposeProject, service: str) -> None:
    if service not in project.services:
        raise SockwakeError(
            f"the project in {project.directory} has no service '{service}'",
            f"it has {', '.join(project.services)}",
            USAGE,
        )


def _moved(found: ComposeProject, directory: str) -> ComposeProject:
    """The project as it will be in another directory, which may give it its name."""
    by_place = compose_project.name_of(found.directory)
    name = compose_project.name_of(directory) if found.name == by_place else found.name
    return replace(found, directory=directory, config={**found.config, "name": name})


def _require_whole(project: ComposeProject) -> None:
    """Raise SockwakeError (usage) when a copy of its directory would lack something."""
    for path in compose_inputs.left_behind(project):
        raise SockwakeError(
            f"--copy takes {project.directory} alone, and the project's file {path} is outside",
            "move it into the directory, or name it by its absolute path",
            USAGE,
        )


def _require_reachable(project: ComposeProject, chosen: Sequence[Endpoint]) -> None:
    """Raise SockwakeError (usage) for a port of the host that its service takes itself."""
    for each in chosen:
        mode = project.config["services"][each.service].get("network_mode")
        where = f"service '{each.service}' of the project in {project.directory}"
        if mode == "host" and each.port == each.target:
            raise SockwakeError(
                f"{where} takes port {each.port} of the host itself (network_mode: host)",
                f"have its server listen on another, as in ports: ['{each.port}:8080']",
                USAGE,
            )


def _is_asked_for(each: Port, service: str, port: int | None) -> bool:
    return (not service or each.service == service) and (port is None or each.port == port)
