"""The timer that asks, while an instance is awake, whether it may sleep. It exists only that long."""

from __future__ import annotations

from sockwake import programs, scope
from sockwake.kind import NONE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockwake.instance import Instance
    from sockwake.settings import Settings


def start(instance: Instance, settings: Settings, *, wait: bool) -> None:
    """Start the timer, unless the instance has no check.

    It is bound to the backend, and so holds it awake, too, when the proxy has left: that is the check's to decide.
    wait: until it runs. Whom systemd waits for must not: the timer comes after the backend's start, and after a restart
    that somebody has asked for meanwhile (systemd 257: --no-block is nothing to a timer).
    """
    if settings.check == NONE:
        return
    programs.spawn(
        [
            *([] if wait else ["setsid", "--fork"]),
            "systemd-run",
            *scope.switch(),
            "--quiet",
            "--collect",
            f"--unit={instance.check_unit}.service",
            f"--description=Whether {instance.name} may sleep",
            f"--on-active={settings.check_every:.3f}",
            f"--on-unit-inactive={settings.check_every:.3f}",
            "--timer-property=AccuracySec=100ms",
            f"--timer-property=BindsTo={instance.backend_unit}",
            f"--timer-property=After={instance.backend_unit}",
        ]
    )
