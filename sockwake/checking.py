"""The timer that asks, while an instance is awake, whether it may sleep. It exists only that long."""

from __future__ import annotations

import time

from sockwake import programs, scope

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockwake.instance import Instance
    from sockwake.settings import Settings

# The first look is due at $1 microseconds, by the clock that counts from the start of the machine. systemd is told how long
# after its own start that is: OnActiveSec= would begin anew with each daemon-reload, and never end if those come often.
_RUN = """
began=$(systemctl "$0" show --property=UserspaceTimestampMonotonic --value)
due=$(($1 - began))us
shift
exec systemd-run "$0" --on-startup="$due" "$@"
"""


def start(instance: Instance, settings: Settings, *, wait: bool = False) -> None:
    """Start the timer, unless the instance has no check.

    It is bound to the backend, and so holds it awake, too, when the proxy has left: that is the check's to decide.
    Nobody in the backend waits for systemd-run, which for its part waits for the timer, and that for the backend: while
    that is starting, or has been asked to stop already, each would wait for the other (systemd 257: --no-block is
    nothing to a timer).
    wait: until it runs, for a check, with which systemd ends everything it has begun.
    """
    if not settings.has_check:
        return
    programs.spawn(
        [
            *([] if wait else ["setsid", "--fork"]),
            "sh",
            "-c",
            _RUN,
            "--user" if scope.is_user() else "--system",
            str(round((time.monotonic() + settings.check_every) * 1_000_000)),
            "--quiet",
            "--collect",
            f"--unit={instance.check_unit}.service",
            f"--description=Whether {instance.name} may sleep",
            f"--on-unit-inactive={settings.check_every:.3f}",
            "--timer-property=AccuracySec=100ms",
            f"--timer-property=BindsTo={instance.backend_unit}",
            f"--timer-property=After={instance.backend_unit}",
        ]
    )
