"""The containers of a compose project: which there are, made of which files, and making them."""

from __future__ import annotations

import binascii
import json
import os
from dataclasses import dataclass
from typing import Any

from sockwake.config.instance import Instance
from sockwake.engine import belongings, images
from sockwake.engine.api import Engine, EngineError
from sockwake.engine.container import Container
from sockwake.errors import SockwakeError
from sockwake.system import process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockwake.engine.compose_project import ComposeProject

STARTED, HEALTHY, COMPLETED = (
    "service_started",
    "service_healthy",
    "service_completed_successfully",
)
_RUNS = ("running", "paused", "restarting")  # the states of a container that has processes
_MADE_OF = "io.sockwake.config"  # a fingerprint of all that it was made of
_MADE_AS = "io.sockwake.project"  # JSON: services and inputs of the project, restart of the service
_DEPENDS_ON = "com.docker.compose.depends_on"
_NO_START_INTERVAL = "leave start_interval out: a wake asks a healthcheck as often as it needs"


@dataclass(frozen=True)
class Member:
    """The container of one service. depends_on: other services, each with compose's condition."""

    service: str
    id: str
    depends_on: dict[str, str]
    restart: str
    is_running: bool


def members(engine: Engine, instance: Instance) -> list[Member]:
    """The project's containers, when all are there and made of the present files; else none.

    What was made of earlier files, such as of a service that was taken out since, is none of it.
    """
    found = [
        (each, label, made)
        for each, label in _labelled(engine, instance)
        if (made := _made_as(instance, label))
    ]
    services = sorted(label[belongings.SERVICE] for _, label, _ in found)
    if not found or services != sorted(found[0][2]["services"]):
        return []
    return [
        Member(
            label[belongings.SERVICE],
            each["Id"],
            _depends_on(label.get(_DEPENDS_ON, "")),
            made["restart"],
            each.get("State") in _RUNS,
        )
        for each, label, made in found
    ]


def _made_as(instance: Instance, label: dict[str, str]) -> dict[str, Any] | None:
    """What a container's label says of its project; None unless it is made of the present files."""
    try:
        made: dict[str, Any] = json.loads(label[_MADE_AS])
        is_whole = label[belongings.SERVICE] in made["services"] and "restart" in made
        is_current = label[_MADE_OF] == _fingerprint(instance, made["inputs"])
        return made if is_whole and is_current else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None  # made by another version, or edited: it is made anew


def create(
    engine: Engine, instance: Instance, project: ComposeProject, *, timeout: float
) -> list[Member]:
    """Make the project's containers, networks and volumes, as far as they are missing or outdated.

    Never asks a registry and never builds. Raises SockwakeError when an image is not here, or
    compose fails; timeout: seconds it may take.
    """
    for service in project.services.values():
        images.bring(engine, service.image)
    from sockwake.engine import compose_project  # late: the project was read by it

    path = f"{instance.run}/project.json"
    text = project.definition(_labels(instance, project))
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    command = project.command(*compose_project.CREATE, definition=path)
    try:
        process.run(command, env=environment(engine), cwd=project.directory, timeout=timeout)
    except process.Overdue as error:
        raise SockwakeError(f"compose {error.waited}: {project.directory}") from error
    except process.ProgramError as error:
        hint = _NO_START_INTERVAL if "start_interval" in error.said else ""
        raise SockwakeError(
            f"compose could not make the project in {project.directory}", hint, said=error.said
        ) from error
    finally:
        os.unlink(path)
    return members(engine, instance)


def environment(engine: Engine) -> dict[str, str]:
    """What leads compose to the engine."""
    return {"DOCKER_HOST": f"unix://{engine.path}"}


def stop_all(engine: Engine, instance: Instance) -> None:
    """Stop the project's containers that run, each when none that depends on it does any more.

    Raises the first error, when it has tried to stop all.
    """
    errors: list[EngineError] = []
    running = {
        str(label.get(belongings.SERVICE)): (each["Id"], _depends_on(label.get(_DEPENDS_ON, "")))
        for each, label in _labelled(engine, instance)
        if each.get("State") in _RUNS
    }
    while running:
        needed = {other for _, depends_on in running.values() for other in depends_on}
        name = next((name for name in running if name not in needed), next(iter(running)))
        try:
            Container(running.pop(name)[0], engine).stop()
        except EngineError as error:
            errors.append(error)
    if errors:
        raise errors[0]


def running(engine: Engine, instance: Instance) -> list[str]:
    """The services whose containers run, by the engine."""
    return sorted(
        str(label.get(belongings.SERVICE) or instance.name)
        for each, label in _labelled(engine, instance)
        if each.get("State") in _RUNS
    )


def require_asleep(engine: Engine, project: ComposeProject) -> None:
    """Raise SockwakeError when the project runs, or another directory's project has its name."""
    for each in belongings.containers(engine, belongings.PROJECT, project.name):
        where = (each.get("Labels") or {}).get("com.docker.compose.project.working_dir", "")
        if os.path.realpath(where) != project.directory:
            raise SockwakeError(
                f"there is another compose project '{project.name}', of {where}",
                "give one of them another name: in the compose file",
            )
        if each.get("State") == "running":
            raise SockwakeError(
                f"the project in {project.directory} runs, and has its ports",
                f"cd {project.directory} && {engine.program} compose stop",
            )


def _labelled(engine: Engine, instance: Instance) -> list[tuple[dict[str, Any], dict[str, str]]]:
    """(container, labels) of each that was made for the instance."""
    found = belongings.containers(engine, belongings.LABEL, instance.name)
    return [(each, each.get("Labels") or {}) for each in found]


def _labels(instance: Instance, project: ComposeProject) -> dict[str, dict[str, str]]:
    """The labels of each service's container; under "" those of all that is made."""
    from sockwake.engine import compose_inputs  # late: a wake that finds all needs no YAML

    files = compose_inputs.inputs(project)
    made_of = _fingerprint(instance, files)
    labels = {"": belongings.label(instance)}
    for name, service in project.services.items():
        made_as = {
            "services": sorted(project.services),
            "inputs": files,
            "restart": service.restart,
        }
        labels[name] = {_MADE_OF: made_of, _MADE_AS: json.dumps(made_as)}
    return labels


def _fingerprint(instance: Instance, files: list[str]) -> str:
    """What tells edited files from those that containers were made of."""
    value = size = 0
    for path in [instance.env_file, *files]:
        try:
            with open(path, "rb") as file:
                content = file.read()
        except OSError:
            content = b"\0"  # it is not there: that it comes is an edit, too
        value = binascii.crc32(content, value)
        size += len(content)
    return f"{size}-{value:08x}"


def _depends_on(label: str) -> dict[str, str]:
    """compose's label: SERVICE:CONDITION:RESTART, with commas between."""
    found = [each.split(":") for each in label.split(",") if each]
    return {name: condition for name, condition, *_ in found}


def inspect(engine: Engine, container: str) -> dict[str, Any]:
    """All that the engine knows of a container."""
    try:
        found: dict[str, Any] = json.loads(engine.call("GET", f"/containers/{container}/json"))
        return found
    except ValueError:
        raise EngineError(
            "the container engine's answer about a container makes no sense"
        ) from None
