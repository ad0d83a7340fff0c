"""Instances that remove themselves: copies that were made with --ttl.

The file "expires" of an instance has the time, as "2026-11-29 03:30:00 UTC". sockwake-generator
makes a timer of it, pg-expire@NAME.timer, whose service calls `sockwake rm --expired`; without the
file, or before its time, that removes nothing.
"""

from __future__ import annotations

import calendar
import time

from sockwake.config import scope
from sockwake.config.instance import Instance
from sockwake.errors import SockwakeError
from sockwake.lifecycle import holds
from sockwake.system import files, systemctl

FILE = "expires"
_FORM = "%Y-%m-%d %H:%M:%S UTC"  # as systemd's OnCalendar= reads it


def note(seconds: float) -> str:
    """The text of the file of an instance that is to go so many seconds from now."""
    return f"{time.strftime(_FORM, time.gmtime(time.time() + seconds))}\n"


def when(instance: Instance) -> int | None:
    """When an instance goes, in seconds since 1970; None when it stays."""
    try:
        return calendar.timegm(time.strptime(told(instance), _FORM))
    except ValueError:
        return None


def told(instance: Instance) -> str:
    """The time as its file has it, "" without one."""
    return files.text_of(f"{instance.etc}/{FILE}").strip()


def start_timer(instance: Instance) -> None:
    """Start the timer of an instance that goes, which systemd has read."""
    if told(instance):
        systemctl.start(f"pg-expire@{instance.name}.timer")


def require_over(instance: Instance) -> None:
    """Raise SockwakeError for an instance that stays, or stays on."""
    end = when(instance)
    if end is None:
        raise SockwakeError(f"instance '{instance.name}' was not made to expire")
    if end > time.time():
        raise SockwakeError(
            f"instance '{instance.name}' expires at {told(instance)}, and not before",
            f"{scope.command('sockwake rm', instance.name)} --purge removes it now",
        )


def end_use(instance: Instance) -> None:
    """Send its clients away, close its port and end its holds."""
    systemctl.stop(instance.socket_unit, instance.proxy_unit)
    holds.release(*holds.holds(instance))
    systemctl.stop(instance.backend_unit)
