"""The timer that asks, while an instance is awake, whether it may sleep. It exists only that long."""

from __future__ import annotations

from sockwake import programs, scope
from sockwake.kind import NONE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockwake.instance import Instance
    from sockwake.settings import Settings

_LONGEST_CHECK = 60  # seconds; then it is killed, and the instance counts as busy


def start(instance: Instance, settings: Settings, *, wait: bool = True) -> None:
    """Start the timer, unless the instance has no check.

    It is bound to the backend, and so holds it awake, too, when the proxy has left: that is the check's to decide.
    wait: until it runs, which it does not while the backend is still starting.
    """
    if settings.check == NONE:
        return
    programs.spawn(
        [
            "systemd-run",
            *scope.switch(),
            "--quiet",
            "--collect",
            "--no-block",
            f"--unit={instance.check_unit}",
            f"--description=Whether {instance.name} may sleep",
            f"--on-active={settings.check_every:.3f}",
            f"--on-unit-inactive={settings.check_every:.3f}",
            "--timer-property=AccuracySec=100ms",
            f"--timer-property=BindsTo={instance.backend_unit}",
            f"--timer-property=After={instance.backend_unit}",
            "--service-type=oneshot",
            *(["--setenv=SOCKWAKE_SCOPE=user"] if scope.is_user() else []),
            f"--property=TimeoutStartSec={_LONGEST_CHECK}",
            "--property=StartLimitIntervalSec=0",
            # what systemd has to say of each look is not worth a line in the journal; what the check says is
            "--property=LogLevelMax=notice",
            "--property=SyslogLevel=notice",
            "--property=SyslogIdentifier=sockwake-check",
            "/usr/libexec/sockwake/check",
            instance.name,
        ],
        wait=wait,
    )
