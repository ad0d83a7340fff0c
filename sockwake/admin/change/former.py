"""Engines that an instance had before ENGINE= or RUNTIME= was edited by hand, and what they have.

Which that is tells the label of a container alone.
"""

from collections.abc import Iterable

from sockwake.config.instance import Instance
from sockwake.engine import belongings, project_containers
from sockwake.engine.api import Engine, EngineError, socket_of
from sockwake.system import systemctl

_UNITS = {"docker.service": "docker", "podman.socket": "podman"}


def engines(instance: Instance, own: Iterable[Engine]) -> list[Engine]:
    """The engines beside its own that have containers of an instance; of these none runs any more.

    No engine is started to be asked, but for podman's API, which its socket starts for some
    seconds; one that does not answer is passed over: sockwake doctor finds what it has as soon as
    it answers.
    """
    states = systemctl.active(*_UNITS)
    running = {socket_of(name) for unit, name in _UNITS.items() if states.get(unit) == "active"}
    return [
        engine
        for engine in map(Engine, sorted(running - {each.path for each in own}))
        if _has_stopped(engine, instance)
    ]


def _has_stopped(engine: Engine, instance: Instance) -> bool:
    """Whether an engine has containers of the instance; they are stopped, as each has to be."""
    try:
        if not belongings.has_any(engine, instance):
            return False
        project_containers.stop_all(engine, instance)
    except EngineError:
        return False
    return True
