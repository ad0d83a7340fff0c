"""A compose project as sockwake-new is asked for one: which of its ports wake it, and what is said aloud."""

from __future__ import annotations

import os
import shutil

from sockwake.config.endpoint import Endpoint
from sockwake.engine import compose_project
from sockwake.engine.compose_project import ComposeProject, Port
from sockwake.errors import EXISTS, USAGE, SockwakeError

_LARGEST_COPY = 1 << 30  # bytes; what is larger is data, and not a project


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


def warnings(project: ComposeProject) -> list[str]:
    """What compose has warned of, a sentence each."""
    return [
        f"variable {name} is not set in {project.directory}/.env: it is taken as empty"
        for name in project.unset
    ]


def copy(source: str, target: str) -> None:
    """Copy a project's whole directory, once; raises SockwakeError, with nothing left, when it cannot.

    Owners become root: what others could change is why it is copied.
    """
    if os.path.lexists(target):
        raise SockwakeError(f"{target} is there already", "choose another name", EXISTS)
    size = sum(
        os.lstat(os.path.join(folder, name)).st_size
        for folder, _, names in os.walk(source)
        for name in names
    )
    if size > _LARGEST_COPY:
        raise SockwakeError(
            f"{source} has {size >> 20} MB: its data would be copied, too",
            "move it where only root can write instead",
            USAGE,
        )
    try:
        shutil.copytree(source, target, symlinks=True)
    except (OSError, shutil.Error) as error:
        shutil.rmtree(target, ignore_errors=True)
        raise SockwakeError(f"cannot copy {source} to {target}: {error}") from None


def _is_asked_for(each: Port, service: str, port: int | None) -> bool:
    return (not service or each.service == service) and (port is None or each.port == port)
