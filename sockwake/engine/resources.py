"""What an engine keeps of an instance: containers, networks, volumes."""

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
    """The running engines that may have containers of an instance: its own, or all when its settings do not tell."""
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
    """Whether anybody does; the socket of an engine that was stopped may still be there."""
    try:
        unix_socket.connect(path, PATIENCE).close()
    except OSError:
        return False
    return True


def remove_containers(instance: Instance) -> None:
    """Remove the instance's containers and their networks. An engine that does not run has none to run."""
    for engine in [] if instance.root else engines_of(instance):
        belongings.remove(engine, instance)
