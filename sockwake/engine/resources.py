"""What an engine keeps of an instance: containers, networks, volumes."""

from __future__ import annotations

import os

from sockwake.engine import api, belongings
from sockwake.engine.api import PATIENCE, SIGN_OF_LIFE, Engine, EngineError
from sockwake.errors import SockwakeError
from sockwake.system import cgroups, unix_socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from sockwake.config.instance import Instance
    from sockwake.config.settings import Settings


def engines_of(settings: Settings | None) -> list[Engine]:
    """Running engines that may have containers of an instance: its own; all for settings None."""
    if not settings:
        sockets = {api.socket_of("docker"), api.socket_of("podman")}
        return [Engine(path) for path in sockets if listens(path)]
    path = api.socket_of(settings.engine)
    return [Engine(path)] if settings.needs_engine and os.path.exists(path) else []


def running(instance: Instance, settings: Settings | None) -> list[Engine]:
    """Those of engines_of() that listen: a stopped one may have left its socket. None in a tree."""
    return [] if instance.root else [each for each in engines_of(settings) if listens(each.path)]


def engine_with_volumes(instance: Instance, settings: Settings) -> Engine | None:
    """The engine that may keep data of an instance in volumes; None where none does.

    A PostgreSQL has its data in a directory, so that for one an engine that does not run is none.
    Raises SockwakeError for any other whose engine does not answer, as nothing tells then.
    """
    if instance.root or not settings.needs_engine:
        return None
    engine = Engine.of(settings)
    if settings.has_cluster and not listens(engine.path):
        return None
    try:
        engine.call("GET", "/_ping", SIGN_OF_LIFE)
    except EngineError as error:
        raise SockwakeError(
            f"nothing tells what volumes '{instance.name}' has: {error.message}",
            error.hint,
            said=error.said,
        ) from None
    return engine


def listens(path: str) -> bool:
    """Whether a process listens on a unix socket: a stopped engine may have left its socket."""
    try:
        unix_socket.connect(path, PATIENCE).close()
    except OSError:
        return False
    return True


def require_unseen(instance: Instance, data: str) -> None:
    """Raise SockwakeError (exists) when another instance's container mounts data, in any engine."""
    for engine in engines_of(None):
        belongings.require_unseen(engine, instance, data)


def remove_containers(instance: Instance, settings: Settings | None) -> None:
    """Remove an instance's containers and their networks from the engines that run."""
    for engine in running(instance, settings):
        remove_from(engine, instance, settings)


def remove_from(engine: Engine, instance: Instance, settings: Settings | None) -> None:
    """Remove them from one engine; a project, which is not sockwake's, keeps all its volumes."""
    is_project = settings is not None and settings.is_project
    belongings.remove(engine, instance, volumes=not is_project)


def memory(engine: Engine, containers: Iterable[str]) -> int | None:
    """The bytes of memory of containers that run, by their IDs; None when one is not known."""
    from sockwake.engine import project_containers  # late: most of what runs has no engine

    total = 0
    for container in containers:
        try:
            state = project_containers.inspect(engine, container).get("State")
            pid = int(state["Pid"]) if isinstance(state, dict) else 0
        except (EngineError, KeyError, TypeError, ValueError):
            return None
        used = cgroups.memory(cgroups.of_container(pid, container))
        if used is None:
            return None
        total += used
    return total
