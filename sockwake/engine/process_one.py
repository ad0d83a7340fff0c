"""Process 1 of a container: whether the engine's init may have its place.

The kernel drops the stop signal of a process 1 that has no handler of it: a shell then runs on
until it is killed, a minute after every client. As a child of an init it ends at once.
"""

import json
import os
import shlex
from typing import Any

from sockwake.engine.api import Engine
from sockwake.system import process

# they do what an init does, or refuse to be anything but process 1
_INITS = (
    *("init", "systemd", "my_init", "s6-svscan", "runit", "runit-init", "runsvdir", "pid1"),
    *("tini", "tini-static", "dumb-init", "docker-init", "catatonit"),
)
_OF_S6 = "S6_"  # its variables; some images start it from a script
# where podman looks for its own
_OF_PODMAN = (
    "/usr/libexec/podman/catatonit",
    "/usr/local/libexec/podman/catatonit",
    "/usr/local/lib/podman/catatonit",
    "/usr/bin/catatonit",
)


def may_be_init(engine: Engine, definition: dict[str, Any], image: bytes) -> bool:
    """Whether `init: true` may be laid over a service.

    definition: as compose prints it; what it says of init itself counts. image: what the engine
    says of it.
    """
    if not _has_init(engine):
        return False
    try:
        return takes_init(definition, json.loads(image).get("Config") or {})
    except (ValueError, AttributeError, TypeError):
        return False


def takes_init(definition: dict[str, Any], config: dict[str, Any]) -> bool:
    """Whether an init may be laid over a service: it says nothing of one, and brings none.

    config: the configuration of its image.
    """
    if "init" in definition or definition.get("pid"):
        return False
    variables = [*(config.get("Env") or ()), *(definition.get("environment") or {})]
    command = (
        _words(definition.get("entrypoint") or config.get("Entrypoint"))
        or _words(definition.get("command") or config.get("Cmd"))
        or [""]
    )
    return os.path.basename(command[0]) not in _INITS and not any(
        str(variable).startswith(_OF_S6) for variable in variables
    )


def _words(command: object) -> list[str]:
    if isinstance(command, str):
        try:
            return shlex.split(command)
        except ValueError:
            return command.split()
    return [str(word) for word in command] if isinstance(command, list) else []


def _has_init(engine: Engine) -> bool:
    """Whether the engine has an init to run: both only recommend the package that it is in."""
    if engine.is_podman:
        return any(map(os.path.exists, _OF_PODMAN))
    return process.exists("docker-init")
