"""The timer that asks, while an instance is awake, whether it may sleep. It exists only that long."""

from __future__ import annotations

import time

from sockwake import programs, scope
from sockwake.kind import NONE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockwake.instance import Instance
    from sockwake.settings import Settings

_LONGEST_CHECK = 60  # seconds; then it is killed, and the instance counts as busy
# The first look is due at $1 microseconds, by the clock that counts from the start of the machine. systemd is told how long
# after its own start that is: OnActiveSec= would begin anew with each daemon-reload, and never end if those come often.
_RUN = """
began=$(systemctl "$0" show --property=UserspaceTimestampMonotonic --value)
due=$(($1 - began))us
shift
exec systemd-run "$0" --on-startup="$due" "$@"
"""


def start(instance: Instance, settings: Settings) -> None:
    """Start the timer, unless the instance has no check.

    It is bound to the backend, and so holds it awake, too, when the proxy has left: that is the check's to decide.
    Nobody waits for systemd-run, which for its part waits for the timer, and that for the backend: while that is starting,
    or has been asked to stop already, each would wait for the other.
    """
    if settings.check == NONE:
        return
    programs.spawn(
        [
            "setsid",
            "--fork",
            "sh",
            "-c",
            _RUN,
            "--user" if scope.is_user() else "--system",
            str(round((time.monotonic() + settings.check_every) * 1_000_000)),
            "--quiet",
            "--collect",
            "--no-block",
            f"--unit={instance.check_unit}",
            f"--description=Whether {instance.name} may sleep",
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
        ]
    )
