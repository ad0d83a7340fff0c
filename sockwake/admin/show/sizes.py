"""How much of the disk an instance takes, and how much of the machine it may take."""

import json
from contextlib import suppress

from sockwake.config import timespan
from sockwake.config.instance import Instance
from sockwake.config.settings import Settings
from sockwake.engine import images
from sockwake.engine.api import Engine
from sockwake.errors import SockwakeError
from sockwake.oci import bundle, store
from sockwake.system import process, systemctl

_PATIENCE = 5  # seconds for du(1) on a directory of any size
_OF_UNIT = {"MemoryMax": "memory_bytes", "TasksMax": "processes"}
_PER_SECOND = "CPUQuotaPerSecUSec"
_NANO = 1_000_000_000


def of_data(settings: Settings) -> int | None:
    """Bytes that the data take on the disk; None when they may not be read, or are too many."""
    if not settings.data:
        return None
    with suppress(SockwakeError, ValueError):
        # not --one-file-system: below an overlay files are on another than their directories
        argv = ["du", "--summarize", "--block-size=1", settings.data]
        return int(process.run(argv, timeout=_PATIENCE).split()[0])
    return None


def of_image(instance: Instance, settings: Settings) -> int | None:
    """Bytes of the image that it runs; None without one, and when it is not known."""
    with suppress(SockwakeError, OSError, ValueError, KeyError, TypeError):
        if settings.is_bundled:
            image = store.find(bundle.image_of(instance), instance.root)
            return image.size if image else None
        if settings.needs_engine and settings.image and not instance.root:
            found = images.require_image(Engine.of(settings), settings.image)
            return int(json.loads(found)["Size"])
    return None


def limits(instance: Instance, settings: Settings) -> dict[str, float]:
    """What it may take: "memory_bytes", "processors", "processes"; none that is not limited.

    Of a container in an engine, what the engine lets that take.
    """
    if instance.root:
        return {}
    if settings.needs_engine:
        return _of_container(instance, settings)
    unit = instance.backend_unit
    found = systemctl.properties([unit], *_OF_UNIT, _PER_SECOND).get(unit, {})
    if found.get("TasksMax") == systemctl.default_tasks_max():  # which every unit has
        del found["TasksMax"]
    known: dict[str, float] = {
        name: int(found[key]) for key, name in _OF_UNIT.items() if found.get(key, "").isdigit()
    }
    if (quota := _seconds(found.get(_PER_SECOND, ""))) is not None:
        known["processors"] = quota
    return known


def _of_container(instance: Instance, settings: Settings) -> dict[str, float]:
    """The limits of the container, which may not be there."""
    from sockwake.engine import project_containers

    with suppress(SockwakeError, KeyError, TypeError, ValueError):
        engine = Engine.of(settings)
        host = project_containers.inspect(engine, instance.container)["HostConfig"]
        found = {
            "memory_bytes": int(host.get("Memory") or 0),
            "processors": int(host.get("NanoCpus") or 0) / _NANO,
            "processes": max(int(host.get("PidsLimit") or 0), 0),
        }
        return {name: value for name, value in found.items() if value}
    return {}


def _seconds(text: str) -> float | None:
    """What systemctl writes as a span: 1.500000s, 500ms; None for infinity."""
    try:
        seconds = timespan.parse(text)
    except SockwakeError:
        return None
    return None if seconds == timespan.INFINITY else seconds
