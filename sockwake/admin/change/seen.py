"""What is asked once for all instances whose files are compared with what systemd has read."""

from collections.abc import Mapping, Sequence

from sockwake.admin.change import drop_ins
from sockwake.admin.show import sight
from sockwake.config.instance import Instance
from sockwake.system import systemctl

_STATE, _STALE = "ActiveState", "NeedDaemonReload"


class Seen:
    """One look at instances; of those in a tree, or without systemd, there is nothing to see.

    A unit that is not loaded is inactive, and systemd will read it anew in any case.
    """

    def __init__(self, instances: Sequence[Instance]) -> None:
        running = [each for each in instances if not each.root and systemctl.is_running()]
        patterns = sight.patterns(running) if running else []
        self._units = systemctl.properties(patterns, _STATE, _STALE)
        self._wanted = drop_ins.wanted_of_all(running) if len(running) > 1 else {}

    def state(self, unit: str) -> str:
        """The ActiveState of a unit."""
        return self._units.get(unit, {}).get(_STATE, "inactive")

    def is_stale(self, *units: str) -> bool:
        """Whether a file of one of the units has changed since systemd has read it."""
        return any(self._units.get(unit, {}).get(_STALE) == "yes" for unit in units)

    def wanted(self, instance: Instance, texts: Mapping[str, str]) -> dict[str, str]:
        """See drop_ins.wanted()."""
        if not texts and instance.name in self._wanted:
            return self._wanted[instance.name]
        return drop_ins.wanted(instance, texts)
