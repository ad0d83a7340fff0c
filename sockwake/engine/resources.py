"""The containers, networks and volumes that engines keep of an instance."""

from __future__ import annotations

import os

from sockwake.config.settings import load
from sockwake.engine import api, belongings
from sockwake.engine.api import PATIENCE, Engine
from sockwake.errors import SockwakeError
from sockwake.system import unix_socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockwake.config.instance import Instance


def engines_of(instance: Instance) -> list[Engine]:
    """The running engines that may have containers of an instance.

    That is the engine of its settings; every engine, when the settings cannot be read.
    """
    try:
        settings = load(instance)
    except SockwakeError:
        return [
            Engine(path)
            for path in {api.socket_of("docker"), api.socket_of("podman")}
            if _listens(path)
        ]
    path = api.socket_of(settings.engine)
    return [Engine(path)] if settings.is_container and os.path.exists(path) else []


def _listens(path: str) -> bool:
    """Whether an engine listens on the socket, which stays when an engine is stopped."""
    try:
        unix_socket.connect(path, PATIENCE).close()
    except OSError:
        return False
    return True


def remove_containers(instance: Instance) -> None:
    """Remove the instance's containers and networks from every running engine."""
    for engine in [] if instance.root else engines_of(instance):
        belongings.remove(engine, instance)
