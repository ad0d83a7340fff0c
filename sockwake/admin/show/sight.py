"""What is read once for all rows of sockwake ls: units, and the tables of kernel and engines."""

import os
from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property

from sockwake.admin.show import times
from sockwake.config import scope
from sockwake.config.instance import Instance
from sockwake.config.settings import Settings
from sockwake.engine import belongings, resources
from sockwake.engine.api import Engine, EngineError
from sockwake.lifecycle import holds
from sockwake.system import port_owner, procnet, systemctl

DOWN = ("inactive", "failed")  # ActiveState of a backend
_CHANGE, _STATUS, _MEMORY = "StateChangeTimestampMonotonic", "StatusText", "MemoryCurrent"
# unit names for one question; more are asked for by a pattern for all instances
_MOST_PATTERNS = 50
# units that are asked for a moment alone: each takes systemd a millisecond
_MOST_FOR_A_MOMENT = 50


class Sight:
    """What one look sees of instances. With a tree in place of the running system it is nothing.

    units: the ActiveState of every loaded unit. tables: the kernel's, of connections.
    """

    def __init__(self, instances: Sequence[Instance], root: str = "") -> None:
        self.tables = procnet.Snapshot()
        self._root = root
        self._running: dict[str, dict[str, list[str]]] = {}
        self.units = {} if root else systemctl.active(*patterns(instances))
        self._details = systemctl.properties(
            self._of_interest(instances), _CHANGE, _STATUS, _MEMORY
        )

    def state(self, unit: str) -> str:
        """The ActiveState of a unit."""
        return self.units.get(unit, "inactive")

    def status(self, unit: str) -> str:
        """The StatusText of a backend that is not down."""
        return self._details.get(unit, {}).get(_STATUS, "")

    def changed(self, unit: str) -> float | None:
        """When a unit got into its state, in seconds since the boot; None when not known."""
        text = self._details.get(unit, {}).get(_CHANGE, "")
        return times.from_monotonic(int(text) / 1e6) if text.isdigit() and int(text) else None

    def memory(self, instance: Instance, settings: Settings) -> int | None:
        """The bytes of memory of a backend that is not down, with its containers in an engine."""
        text = self._details.get(instance.backend_unit, {}).get(_MEMORY, "")
        own = int(text) if text.isdigit() else None
        if not settings.needs_engine or own is None:
            return own
        for engine in self._engines(instance, settings):
            ids = self._running_in(engine).get(instance.name, [])
            used = resources.memory(engine, ids)
            return own + used if used is not None else None
        return None

    def has_run(self, instance: Instance) -> bool:
        """Whether it may have files in /run; it has none before its first wake after a boot."""
        return self._with_files is None or instance.name in self._with_files

    def runs(self, instance: Instance, settings: Settings) -> bool:
        """Whether the engine runs a container of an instance; False when it does not answer."""
        engines = self._engines(instance, settings)
        return any(instance.name in self._running_in(engine) for engine in engines)

    @cached_property
    def held(self) -> set[str]:
        """The names of instances that a hold keeps awake."""
        return set() if self._root else set(holds.every())

    @cached_property
    def owners(self) -> dict[str, int]:
        """The process of every socket; see port_owner."""
        return port_owner.owners()

    @cached_property
    def _with_files(self) -> set[str] | None:
        """The names of instances with files in /run; None when it may not be read."""
        try:
            return set(os.listdir(scope.run(self._root)))
        except FileNotFoundError:
            return set()
        except OSError:
            return None

    def _of_interest(self, instances: Sequence[Instance]) -> list[str]:
        """The units of which more is asked: backends that are up, and what tells since when."""
        up, others = list[str](), list[str]()
        for each in instances:
            if self.state(each.backend_unit) not in DOWN:
                up.append(each.backend_unit)
            elif each.socket_unit in self.units and not os.path.exists(each.asleep_since):
                others.append(each.socket_unit)
        return up + (others if len(others) <= _MOST_FOR_A_MOMENT else [])

    def _engines(self, instance: Instance, settings: Settings) -> list[Engine]:
        return [] if instance.root else resources.engines_of(settings)

    def _running_in(self, engine: Engine) -> dict[str, list[str]]:
        if engine.path not in self._running:
            self._running[engine.path] = {}
            with suppress(EngineError):
                self._running[engine.path] = belongings.running(engine)
        return self._running[engine.path]


def patterns(instances: Sequence[Instance]) -> list[str]:
    """Patterns of systemctl(1) for the units of instances; some may match others', too."""
    if len(instances) > _MOST_PATTERNS:
        return ["pg-*@*"]
    return [f"pg-*@{each.name}.*" for each in instances]
