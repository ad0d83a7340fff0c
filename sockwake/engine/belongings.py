"""Which containers, networks and volumes of an engine are an instance's: by label, never by name.

An administrator's container, network, volume or compose project may have the name that an instance
would give its own. compose labels by project name, so that its label alone proves nothing, either.
Not on the wake path.
"""

import json
import re
from collections.abc import Iterable
from typing import Any

from sockwake.config import scope
from sockwake.config.instance import Instance
from sockwake.engine.api import SIGN_OF_LIFE, Engine, EngineError, quoted
from sockwake.errors import EXISTS, SockwakeError
from sockwake.system import safe_path

LABEL = "io.sockwake.instance"
PROJECT = "com.docker.compose.project"
SERVICE = "com.docker.compose.service"
_ANONYMOUS = re.compile("[0-9a-f]{64}")  # the name that an engine gives one
_DEFINITIONS = "com.docker.compose.project.config_files"
CONTAINERS, NETWORKS, VOLUMES = "/containers/json", "/networks", "/volumes"
_GONE, _IN_USE = 404, (403, 409)
Thing = dict[str, Any]  # as the engine lists it


def label(instance: Instance) -> dict[str, str]:
    """The label of every container, network and volume that is made for an instance."""
    return {LABEL: instance.name}


def remove(engine: Engine, instance: Instance, *, volumes: bool = True) -> None:
    """Remove the instance's containers, running or not, and its networks.

    A network that other containers have joined stays, also when they do not run. volumes: whether
    volumes without a name go, too, of which an administrator's project may have some with data.
    """
    containers = _own_containers(engine, instance)
    ours = {each["Id"] for each in containers}
    needed = {
        name
        for each in listed(engine, CONTAINERS, {})
        if each["Id"] not in ours
        for name in _networks_of(each)
    }
    joined = {name for each in containers for name in _networks_of(each)}
    networks = [
        each
        for each in _of(engine, instance, NETWORKS)
        if _is_own(each, instance, used=joined) and each["Name"] not in needed
    ]
    for each in containers:
        _delete(engine, f"/containers/{each['Id']}?force=1{'&v=1' if volumes else ''}")
    for each in networks:
        _delete(engine, f"/networks/{each['Id']}", *_IN_USE)


def remove_container(engine: Engine, instance: Instance, name: str) -> None:
    """Remove a container by name, running or not, if there is one and it is the instance's."""
    for each in _own_containers(engine, instance):
        if name in names_of(each):
            _delete(engine, f"/containers/{each['Id']}?force=1&v=1")


def has_container(engine: Engine, instance: Instance) -> bool:
    """Whether the instance has a container; raises EngineError at once when the engine is dead."""
    engine.call("GET", "/_ping", SIGN_OF_LIFE)
    return any(instance.container in names_of(each) for each in _own_containers(engine, instance))


def has_any(engine: Engine, instance: Instance) -> bool:
    """Whether the engine has a container of the instance; raises EngineError."""
    return bool(_own_containers(engine, instance))


def running(engine: Engine) -> dict[str, list[str]]:
    """The same as every(), of those that run."""
    # podman knows no such state, and answers with an error
    more = [] if engine.is_podman else ["restarting"]
    return every(engine, status=["running", "paused", *more])


def every(engine: Engine, **filters: list[str]) -> dict[str, list[str]]:
    """The IDs of the containers of instances, by the instance's name; raises EngineError."""
    found: dict[str, list[str]] = {}
    for each in listed(engine, CONTAINERS, {"label": [LABEL], **filters}):
        found.setdefault(label_of(each, LABEL), []).append(each["Id"])
    return found


def containers(engine: Engine, label: str, value: str) -> list[Thing]:
    """The engine's containers with a label of this value, running or not; raises EngineError."""
    return listed(engine, CONTAINERS, {"label": [f"{label}={value}"]})


def states(engine: Engine, instance: Instance) -> dict[str, str]:
    """The services of a project's containers, each with its state in the engine's words."""
    return {
        label_of(each, SERVICE): _text(each, "State")
        for each in containers(engine, LABEL, instance.name)
    }


def with_anonymous_volumes(engine: Engine, instance: Instance) -> list[str]:
    """The services of a project whose containers have volumes without a name."""
    return [
        label_of(each, SERVICE)
        for each in containers(engine, LABEL, instance.name)
        if any(_ANONYMOUS.fullmatch(_text(mount, "Name")) for mount in mounts_of(each))
    ]


def labelled_volumes(engine: Engine, instance: Instance) -> list[str]:
    """The names of the volumes that were made for a project, and none that it had before."""
    label = {"label": [f"{LABEL}={instance.name}"]}
    return [each["Name"] for each in listed(engine, VOLUMES, label)]


def mounted_volumes(engine: Engine, instance: Instance) -> list[str] | None:
    """The volumes with a name that its containers mount, whoever made them; None without one."""
    its_own = containers(engine, LABEL, instance.name)
    mounts = [mount for each in its_own for mount in mounts_of(each)]
    names = {_text(mount, "Name") for mount in mounts if mount.get("Type") == "volume"}
    return sorted(n for n in names if n and not _ANONYMOUS.fullmatch(n)) if its_own else None


def volumes(engine: Engine, instance: Instance) -> list[str]:
    """The names of the instance's volumes. Its container tells some of them, so it has to exist."""
    mounts = [mount for each in _own_containers(engine, instance) for mount in mounts_of(each)]
    used = {_text(mount, "Name") for mount in mounts}
    return [
        each["Name"]
        for each in _of(engine, instance, VOLUMES)
        if _is_own(each, instance, used=used)
    ]


def require_unseen(engine: Engine, instance: Instance, data: str) -> None:
    """Raise SockwakeError (exists) when another instance's container mounts data or a part."""
    for each in listed(engine, CONTAINERS, {"label": [LABEL]}):
        binds = [_text(mount, "Source") for mount in mounts_of(each) if mount.get("Type") == "bind"]
        other = label_of(each, LABEL)
        if other != instance.name and (
            shared := [bind for bind in binds if bind and safe_path.overlap(data, bind)]
        ):
            raise SockwakeError(
                f"data directory {data} is not for one alone: "
                f"the container of instance '{other}' has {shared[0]}",
                f"{scope.command('sockwake rm', other)} removes that one",
                EXISTS,
            )


def require_free(
    engine: Engine,
    instance: Instance,
    networks: Iterable[str],
    volumes: Iterable[str],
    *,
    is_new: bool,
) -> None:
    """Raise SockwakeError (exists) when something that is not the instance's has a name it needs.

    networks, volumes: the names that compose is going to use. is_new: whether the instance has none
    yet; the networks and volumes of an old instance may have the label of the project alone.
    """
    for each in _of(engine, instance, CONTAINERS):
        if not is_own_container(each, instance):
            raise _taken(engine, instance, "container", (names_of(each) or [each["Id"]])[0])
    for what, path, names in (("network", NETWORKS, networks), ("volume", VOLUMES, volumes)):
        wanted = set(names)
        for each in listed(engine, path, {}):
            is_of_project = label_of(each, PROJECT) in _projects(instance)
            is_ours = label_of(each, LABEL) == instance.name or (is_of_project and not is_new)
            if (is_of_project or _text(each, "Name") in wanted) and not is_ours:
                raise _taken(engine, instance, what, _text(each, "Name"))


def _taken(engine: Engine, instance: Instance, what: str, name: str) -> SockwakeError:
    way_out = ", or say external: true in the compose file to use it" if what != "container" else ""
    return SockwakeError(
        f"there is a {what} {name} that is not of instance '{instance.name}'",
        f"choose another name, or remove it: {engine.program} {what} rm {name}{way_out}",
        EXISTS,
    )


def _projects(instance: Instance) -> tuple[str, str]:
    """The names of its two compose projects, which are those of its containers."""
    return instance.container, instance.init_container


def _own_containers(engine: Engine, instance: Instance) -> list[Thing]:
    return [each for each in _of(engine, instance, CONTAINERS) if is_own_container(each, instance)]


def is_own_container(each: Thing, instance: Instance) -> bool:
    """Whether a container has the label, or compose made it of the instance's files without one.

    The second are those that an administrator made by hand, or that are older than the label.
    """
    if label_of(each, LABEL) == instance.name:
        return True
    etc = scope.etc(instance.root)
    folders = (f"{etc}/{instance.name}/", f"{etc}/.new-{instance.name}/")
    return label_of(each, PROJECT) in _projects(instance) and label_of(
        each, _DEFINITIONS
    ).startswith(folders)


def _is_own(each: Thing, instance: Instance, *, used: set[str]) -> bool:
    """Whether a network or volume has the label, or is older and known by use and project."""
    if label_of(each, LABEL):
        return label_of(each, LABEL) == instance.name
    return label_of(each, PROJECT) in _projects(instance) and _text(each, "Name") in used


def _of(engine: Engine, instance: Instance, path: str) -> list[Thing]:
    """The engine's entries that may be the instance's, by label, project or name."""
    filters = [{"label": [f"{LABEL}={instance.name}"]}]
    filters += [{"label": [f"{PROJECT}={project}"]} for project in _projects(instance)]
    if path == CONTAINERS:
        filters.append({"name": [instance.container]})  # the engine finds parts of names
    found = {
        each.get("Id") or each["Name"]: each
        for filter in filters
        for each in listed(engine, path, filter)
    }
    return [
        each
        for each in found.values()
        if label_of(each, LABEL) == instance.name
        or label_of(each, PROJECT) in _projects(instance)
        or (path == CONTAINERS and set(_projects(instance)) & set(names_of(each)))
    ]


def listed(engine: Engine, path: str, filters: dict[str, list[str]]) -> list[Thing]:
    """The engine's CONTAINERS, NETWORKS or VOLUMES that pass its filters; raises EngineError."""
    key = "Name" if path == VOLUMES else "Id"
    target = f"{path}?{'all=1&' if path == CONTAINERS else ''}filters={quoted(json.dumps(filters))}"
    answer = engine.call("GET", target)
    try:
        said = json.loads(answer)
        found = [dict(each) for each in (said["Volumes"] or [] if path == VOLUMES else said)]
        if all(isinstance(each[key], str) for each in found):
            return found
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    raise EngineError(f"the container engine's answer to {path} makes no sense")


def label_of(each: Thing, name: str) -> str:
    """The value of a label, "" without it."""
    labels = each.get("Labels")
    return str(labels.get(name) or "") if isinstance(labels, dict) else ""


def _text(each: Thing, key: str) -> str:
    return str(each.get(key) or "")


def names_of(each: Thing) -> list[str]:
    """The names of a container."""
    names = each.get("Names")
    return [str(name).removeprefix("/") for name in names] if isinstance(names, list) else []


def mounts_of(each: Thing) -> list[Thing]:
    """What is mounted in a container."""
    mounts = each.get("Mounts")
    return (
        [mount for mount in mounts if isinstance(mount, dict)] if isinstance(mounts, list) else []
    )


def _networks_of(each: Thing) -> list[str]:
    settings = each.get("NetworkSettings")
    networks = settings.get("Networks") if isinstance(settings, dict) else None
    return [str(name) for name in networks] if isinstance(networks, dict) else []


def _delete(engine: Engine, target: str, *allowed: int) -> None:
    try:
        engine.call("DELETE", target)
    except EngineError as error:
        if error.code not in (_GONE, *allowed):
            raise
