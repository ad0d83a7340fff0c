"""What of a compose project cannot be put to sleep, with the way out, and what is warned of."""

import re
from collections.abc import Iterator
from typing import Any

from sockwake.config import values
from sockwake.engine import images
from sockwake.engine.api import Engine, EngineError, quoted
from sockwake.engine.compose_project import ComposeProject, program, replicas
from sockwake.errors import USAGE, SockwakeError
from sockwake.system import process

# from this version on compose puts them into a container when it starts one, and a wake starts it
# without compose
_INJECTS_AT_START = (2, 37, 3)
_LOGS = ("none", "json-file", "journald", "k8s-file")  # that podman keeps, too


def require_possible(project: ComposeProject) -> None:
    """Raise SockwakeError (usage), with the way out, for what cannot be put to sleep."""
    if not project.definitions:
        known = project.profiles_there_are()
        raise SockwakeError(
            f"the project in {project.directory} has no service"
            + (" without a profile" if known else ""),
            f"--profile {known[0]}" if known else "",
            USAGE,
        )
    for name, definition in project.definitions.items():
        _require_service(project.directory, name, definition)
    if not project.ports:
        udp = "; a UDP packet cannot wake anything" if list(_udp(project)) else ""
        raise SockwakeError(
            f"the project in {project.directory} publishes no TCP port, so no client can wake it",
            f"publish one in the compose file, as in ports: ['127.0.0.1:8080:80']{udp}",
            USAGE,
        )
    if inline := next(_injected(project.config), ""):
        _require_early_injection(project.directory, inline)


def require_present(engine: Engine, project: ComposeProject) -> None:
    """Raise SockwakeError when something is missing that neither compose nor a registry brings."""
    for service in project.services.values():
        if service.is_built:
            try:
                images.require_image(engine, service.image)
            except EngineError:
                raise
            except SockwakeError:
                raise SockwakeError(
                    f"service '{service.name}' is to be built, and image {service.image} is not "
                    "on this machine",
                    f"cd {project.directory} && {engine.program} compose build: "
                    "a wake never builds",
                ) from None
    for what, path in (("network", "networks"), ("volume", "volumes")):
        for name in _external(project.config, path):
            try:
                engine.call("GET", f"/{path}/{quoted(name)}")
            except EngineError as error:
                if error.code != 404:
                    raise
                raise SockwakeError(
                    f"{what} {name} of the project in {project.directory} is external, "
                    "and not on this machine",
                    f"{engine.program} {what} create {name}",
                ) from None


def warnings(project: ComposeProject) -> list[str]:
    """A sentence for each thing that compose has warned of, and that no client can wake."""
    unset = [
        f"variable {name} is not set in {project.directory}/.env: it is taken as empty"
        for name in project.unset
    ]
    return unset + [
        f"UDP port {port} of service '{name}' is closed: a UDP packet cannot wake anything"
        for name, port in _udp(project)
    ]


def _require_service(directory: str, name: str, definition: dict[str, Any]) -> None:
    """Raise SockwakeError for a service that cannot be woken as compose would start it."""
    where = f"service '{name}' of the project in {directory}"
    if replicas(definition) > 1:
        raise SockwakeError(
            f"{where} has {replicas(definition)} replicas", "one port wakes one: set it to 1", USAGE
        )
    if not definition.get("image") and not definition.get("build"):
        raise SockwakeError(f"{where} names no image", "name one with image:", USAGE)
    ports = definition.get("ports") or ()
    mode = str(definition.get("network_mode", ""))
    if ports and mode.startswith(("service:", "container:")):
        raise SockwakeError(
            f"{where} publishes a port in the network of another {mode.partition(':')[0]}",
            "publish it in that one, whose network it is",
            USAGE,
        )
    if ports and mode == "none":
        raise SockwakeError(
            f"{where} publishes a port and has network_mode: {mode}, with which there is none",
            "take network_mode away",
            USAGE,
        )
    for port in ports:
        published = str(port.get("published") or "0")
        if port.get("protocol", "tcp") == "tcp" and not (published.isdigit() and int(published)):
            raise SockwakeError(
                f"{where} publishes port {port['target']} at no one port of the host",
                f"give it one, as in '8080:{port['target']}'",
                USAGE,
            )
        if published.isdigit() and int(published):
            values.port(published)


def _require_early_injection(directory: str, what: str) -> None:
    """Raise SockwakeError when compose would put an inline config only into what it starts."""
    said = process.run([*program(), "version", "--short"], check=False)
    version = tuple(map(int, re.findall(r"\d+", said)[:3]))
    if version >= _INJECTS_AT_START:
        raise SockwakeError(
            f"{what} of the project in {directory} is put into a container by compose "
            f"{said.strip()} only when compose itself starts it, and a wake does without",
            "write it into a file, and name that with file:",
            USAGE,
        )


def _injected(config: dict[str, Any]) -> Iterator[str]:
    """The configs and secrets that are in no file."""
    for what, section in (("config", "configs"), ("secret", "secrets")):
        for name, each in (config.get(section) or {}).items():
            if each and ("content" in each or "environment" in each):
                yield f"{what} '{name}'"


def _external(config: dict[str, Any], section: str) -> Iterator[str]:
    """The names of the networks or volumes that compose does not make."""
    for name, each in (config.get(section) or {}).items():
        if each and each.get("external"):
            yield str(each.get("name") or name)


def _udp(project: ComposeProject) -> Iterator[tuple[str, str]]:
    """(service, port) of each that is published for UDP."""
    for name, definition in project.definitions.items():
        for port in definition.get("ports") or ():
            if port.get("protocol") == "udp":
                yield name, str(port.get("published") or port["target"])


def only_docker(project: ComposeProject) -> str:
    """What of a project podman, or compose with it, does not do, as words; "" for nothing."""
    for name, definition in project.definitions.items():
        if what := next(_of_docker(definition), ""):
            return f"service '{name}' has {what}"
    drivers = {
        "network": ("networks", ("", "bridge", "macvlan", "ipvlan")),
        "volume": ("volumes", ("", "local")),
    }
    for what, (section, known) in drivers.items():
        for name, each in (project.config.get(section) or {}).items():
            driver = str((each or {}).get("driver") or "")
            if driver not in known:
                return f"{what} '{name}' has driver {driver}"
    return ""


def _of_docker(definition: dict[str, Any]) -> Iterator[str]:
    """What of a service podman does not do."""
    if (definition.get("healthcheck") or {}).get("start_interval"):
        yield "start_interval in its healthcheck"
    driver = str((definition.get("logging") or {}).get("driver") or "none")
    if driver not in _LOGS:
        yield f"logging driver {driver}"
    if definition.get("runtime"):
        yield f"runtime {definition['runtime']}"
    deploy = definition.get("deploy") or {}
    reserved = (deploy.get("resources") or {}).get("reservations") or {}
    if definition.get("gpus") or reserved.get("devices"):
        yield "a GPU or another reserved device"
    for mount in definition.get("volumes") or ():
        if str(mount.get("source") or "").endswith("/docker.sock"):
            yield "docker's socket"
