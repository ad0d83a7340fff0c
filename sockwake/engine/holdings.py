"""What an engine has, whoever made it: for the choice of an engine, and before data are deleted."""

import json
import os
from collections.abc import Iterator
from typing import Any

from sockwake.engine import belongings
from sockwake.engine.api import Engine, EngineError, quoted
from sockwake.engine.belongings import PROJECT, Thing
from sockwake.system import process, safe_path

_PATHS = {"image": "/images/{}/json", "network": "/networks/{}", "volume": "/volumes/{}"}
_MISSING = 404
_PODMANS = ("/var/lib/containers/storage", "/etc/containers/storage.conf")


def find(engine: Engine, what: str, name: str) -> dict[str, Any] | None:
    """An "image", "network" or "volume" by name, None without one; raises EngineError."""
    try:
        found: dict[str, Any] = json.loads(
            engine.call("GET", _PATHS[what].format(quoted(name))) or b"{}"
        )
    except EngineError as error:
        if error.code == _MISSING or error.is_of_something_missing:
            return None
        raise
    except ValueError:
        raise EngineError(f"the container engine's answer about {what} {name} is no JSON") from None
    return found


def of_project(engine: Engine, project: str) -> str:
    """What the engine has of a compose project: "containers", "networks", "volumes", or ""."""
    label = {"label": [f"{PROJECT}={project}"]}
    paths = (belongings.CONTAINERS, belongings.NETWORKS, belongings.VOLUMES)
    for what, path in zip(("containers", "networks", "volumes"), paths):
        if belongings.listed(engine, path, label):
            return what
    return ""


def mounting(engine: Engine, data: str) -> Iterator[tuple[Thing, str]]:
    """Each container, running or not, that mounts data, a part or a parent of it; and that place.

    Raises EngineError.
    """
    containers = belongings.listed(engine, belongings.CONTAINERS, {})
    devices = {
        str(each["Name"]): str(options.get("device") or "")
        for each in (belongings.listed(engine, belongings.VOLUMES, {}) if containers else [])
        if isinstance(options := each.get("Options"), dict)
    }
    return overlapping(containers, devices, data)


def mounting_without_api(data: str) -> Iterator[tuple[Thing, str]]:
    """The same of root's podman, which needs no process that answers; raises SockwakeError."""
    if not any(map(os.path.exists, _PODMANS)):
        return iter(())  # it was never used; podman ps would make its storage
    ids = process.run(["podman", "ps", "--all", "--quiet", "--no-trunc"]).split()
    found = json.loads(process.run(["podman", "container", "inspect", *ids])) if ids else []
    containers = [
        {"Names": [each["Name"]], "Labels": each["Config"]["Labels"], "Mounts": each["Mounts"]}
        for each in found
    ]
    return overlapping(containers, {}, data)


def overlapping(
    containers: list[Thing], devices: dict[str, str], data: str
) -> Iterator[tuple[Thing, str]]:
    """Those of the containers that mount data. devices: volumes that are a directory elsewhere."""
    for each in containers:
        for mount in belongings.mounts_of(each):
            source = str(mount.get("Source") or "") if mount.get("Type") == "bind" else ""
            source = source or devices.get(str(mount.get("Name") or ""), "")
            if source.startswith("/") and safe_path.overlap(data, source):
                yield each, source
