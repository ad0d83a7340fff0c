"""Why an instance stays with a container engine: one place, for all who decide or tell.

sockwake-new asks before it writes instance.env, `sockwake runtime` before it moves an instance,
`sockwake status` to tell, and a wake when the files were edited.
"""

from __future__ import annotations

from typing import Any

from sockwake.config import scope
from sockwake.config.instance import Instance
from sockwake.config.settings import Settings
from sockwake.engine.api import Engine
from sockwake.engine.compose import Project
from sockwake.errors import SockwakeError
from sockwake.kinds.table import CRUN, KINDS
from sockwake.oci import layers, spec


class EngineNeededError(SockwakeError):
    """crun cannot wake an instance. why: the reason in words."""

    def __init__(self, why: str, hint: str) -> None:
        super().__init__(f"crun cannot wake it: {why}", hint)
        self.why = why


def by_kind(kind: str) -> str:
    """Why crun cannot wake any instance of the kind; "" when it can.

    Asks no program, and reads no file.
    """
    if CRUN not in KINDS[kind].runtimes:
        is_project = KINDS[kind].has_several_ports
        return "it is a compose project" if is_project else f"it is of kind '{kind}'"
    if scope.is_user():
        return "a user's own container is rootless podman's, which maps its users"
    return ""


def by_network(network: str, *, tls: bool) -> str:
    """Why crun cannot give a container the network, as compose's network_mode: has it; or ""."""
    if tls and network == "host":
        return "with TLS its network has to be its own (network_mode: none)"
    return spec.why_engine({"network_mode": network}, has_cluster=True)


def by_service(
    settings: Settings,
    service: dict[str, Any],
    image: dict[str, Any] | None = None,
    *,
    root: str = "",
) -> str:
    """Why crun cannot wake an instance, by its service as compose has it; "" when it can.

    image: the configuration of its image, where that is known. root: the tree it is in.
    """
    return (
        by_kind(settings.kind)
        or by_network(str(service.get("network_mode") or ""), tls=settings.tls)
        or spec.why_engine(service, image, has_cluster=settings.has_cluster)
        or ("" if settings.has_cluster or service.get("read_only") else layers.why_none(root))
    )


def by_files(instance: Instance, settings: Settings, *, patience: float = 0) -> str:
    """Why crun cannot wake an instance, by its files; "" when nothing in them speaks against it.

    patience: seconds for compose, START_TIMEOUT if not given. Needs no engine that runs. Raises
    SockwakeError when the files cannot be read.
    """
    if why := by_kind(settings.kind):
        return why
    project = Project(instance, settings, Engine.of(settings))
    _, service = project.service(project.config(patience))
    return by_service(settings, service, root=instance.root)


def told(instance: Instance, settings: Settings, *, patience: float) -> str:
    """Why an instance is woken by an engine, for an administrator; "" when none wakes it.

    patience: seconds for compose.
    """
    if not settings.needs_engine:
        return ""
    if why := by_kind(settings.kind):
        return why
    try:
        why = by_files(instance, settings, patience=patience)
    except SockwakeError as error:
        return f"whether crun can wake it is not known: {error.message}"
    move = scope.command("sockwake runtime", instance.name, CRUN)
    return why or f"by its instance.env; crun can wake it, too ({move})"
