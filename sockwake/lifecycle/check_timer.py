"""The timer that has an instance checked while it is awake. It exists only that long."""

from __future__ import annotations

import os
import time

from sockwake.system import process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockwake.config.instance import Instance
    from sockwake.config.settings import Settings

_PACKAGE = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
_PROGRAM = f"{os.path.dirname(_PACKAGE)}/bin/arm-check"
_NOW = "now"
_AT_ONCE = "0"  # behind a look whether it is there
_LATER = ("1", "2", "4", "8", "16", "32", "64")  # seconds; the monitor tries again later still


def start(instance: Instance, settings: Settings, *, wait: bool = False) -> None:
    """Start the timer, unless the instance has no check.

    It is bound to the backend, and so keeps it up after the proxy has left: the check decides.
    wait: until the timer runs, for a check: systemd ends with it whatever it has started.
    """
    if settings.has_check:
        later = _LATER[:1] if wait else _LATER
        _arm(instance, settings.check_every, _NOW, *later, wait=wait)


def keep(instance: Instance, every: float) -> None:
    """Start the timer of an instance that is awake, unless it is there.

    every: seconds between two checks.
    """
    _arm(instance, every, _AT_ONCE, *_LATER, wait=False)


def _arm(instance: Instance, every: float, *pauses: str, wait: bool) -> None:
    """Run bin/arm-check, which says what the pauses are.

    Beside this process, unless it has to wait: systemd-run waits for the timer, and the timer for
    the backend. While that is starting, or has been asked to stop, each would wait for the other
    (systemd 257; --no-block is nothing to a timer).
    """
    apart = [] if wait else ["setsid", "--fork"]
    due = round((time.monotonic() + every) * 1_000_000)
    process.spawn([*apart, _PROGRAM, instance.name, f"{due}", f"{every:.3f}", *pauses])
