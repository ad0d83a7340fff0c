"""The timer that asks, while an instance is awake, whether it may sleep. It exists only that long."""

from __future__ import annotations

import time

from sockwake.config import scope
from sockwake.system import process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockwake.config.instance import Instance
    from sockwake.config.settings import Settings

# The first look is due at $2 microseconds, by the clock that counts from the start of the machine. systemd is told how long
# after its own start that is: OnActiveSec= would begin anew with each daemon-reload, and never end if those come often.
# It may be too busy to answer, or still have a timer of that name: then it is asked again, after each of the pauses $5,
# unless the backend $4 is to stop.
_RUN = """
scope=$1 due=$2 timer=$3 backend=$4 pauses=$5
shift 5
for pause in $pauses; do
	if [ "$pause" != now ]; then
		if systemctl "$scope" list-jobs --no-legend "$backend" | grep -q -w stop; then exit; fi
		sleep "$pause"
		if systemctl "$scope" --quiet is-active "$timer"; then exit; fi
	fi
	began=$(systemctl "$scope" show --property=UserspaceTimestampMonotonic --value) &&
		systemd-run "$scope" --on-startup="$((due - began))us" "$@" && exit
done
exit 1
"""
_LATER = "1 2 4 8 16 32 64"  # seconds; the watcher looks later still (monitor.py)


def start(instance: Instance, settings: Settings, *, wait: bool = False) -> None:
    """Start the timer, unless the instance has no check.

    It is bound to the backend, and so holds it awake, too, when the proxy has left: that is the check's to decide.
    wait: until it runs, for a check, with which systemd ends everything it has begun.
    """
    if settings.has_check:
        _start(instance, settings.check_every, "now 1" if wait else f"now {_LATER}", wait=wait)


def keep(instance: Instance, every: float) -> None:
    """Start the timer of an instance that is awake, every so many seconds, if it is not there."""
    _start(instance, every, f"0 {_LATER}", wait=False)


def _start(instance: Instance, every: float, pauses: str, *, wait: bool) -> None:
    """Nobody in the backend waits for systemd-run, which for its part waits for the timer, and that for the backend: while
    that is starting, or has been asked to stop already, each would wait for the other (systemd 257: --no-block is
    nothing to a timer)."""
    process.spawn(
        [
            *([] if wait else ["setsid", "--fork"]),
            "sh",
            "-c",
            _RUN,
            "sh",
            "--user" if scope.is_user() else "--system",
            str(round((time.monotonic() + every) * 1_000_000)),
            f"{instance.check_unit}.timer",
            instance.backend_unit,
            pauses,
            "--quiet",
            "--collect",
            f"--unit={instance.check_unit}.service",
            f"--description=Idle check of {instance.name}",
            f"--on-unit-inactive={every:.3f}",
            "--timer-property=AccuracySec=100ms",
            f"--timer-property=BindsTo={instance.backend_unit}",
            f"--timer-property=After={instance.backend_unit}",
        ]
    )
