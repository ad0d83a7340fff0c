"""Whether the port of an instance is open, now and after a boot; and to have it so again."""

import sys
from collections.abc import Sequence

from sockwake.admin import preset
from sockwake.config import schedule
from sockwake.config.instance import Instance
from sockwake.errors import SockwakeError
from sockwake.lifecycle import expiring, holds
from sockwake.system import systemctl

_ENABLED, _OPEN, _PRESET = "enabled", "open", "preset"


def state(instance: Instance, *, is_live: bool) -> list[str]:
    """Whether its socket is enabled, by a preset too, and open, as words."""
    is_open = is_live and systemctl.active_state(instance.socket_unit) != "inactive"
    is_enabled = systemctl.is_enabled(instance.socket_unit, root=instance.root)
    is_preset = instance.name in preset.names(instance.root)
    words = {_ENABLED: is_enabled, _OPEN: is_open, _PRESET: is_preset}
    return [word for word, holds in words.items() if holds]


def close(instance: Instance) -> list[str]:
    """Close its port, and end it, what would start it again first; returns the timers it had."""
    units = (instance.socket_unit, instance.proxy_unit, instance.backend_unit)
    timers = systemctl.known(*schedule.timers(instance.name))
    systemctl.stop(holds.unit(instance), *units, *timers)
    return timers


def enable(instance: Instance, before: Sequence[str]) -> None:
    """Have it opened at the next boot if it would have been. before: from state()."""
    if _ENABLED in before:
        systemctl.enable(instance.socket_unit, root=instance.root)
    if _PRESET in before:
        preset.add(instance)


def open_again(instance: Instance, before: Sequence[str]) -> None:
    """Have its port open if it was, and the timer run of one that goes. before: from state()."""
    if _OPEN in before:
        try:
            systemctl.start(instance.socket_unit)
        except SockwakeError as error:  # sockwake-reopen goes on trying
            print(f"sockwake: warning: {error.whole}", file=sys.stderr)
    expiring.start_timer(instance)
