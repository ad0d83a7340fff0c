"""Whether an instance has the backups that its BACKUP= promises."""

from __future__ import annotations

import os
import time

from sockwake.admin.show import times
from sockwake.config import schedule
from sockwake.config.instance import Instance
from sockwake.config.settings import Settings
from sockwake.lifecycle import backups, wakes
from sockwake.lifecycle.backups import Backup
from sockwake.system import calendars, files, systemctl

_GRACE = 3600  # seconds that a backup may take, or wait for others, until it is missed
_LONGEST_AWAKE = 86_400  # seconds until one that is made when it falls asleep is missed
_RUNNING = ("activating", "active", "reloading")


def told(instance: Instance, settings: Settings, *, awake_for: float | None) -> str:
    """Which backup is missing, as a sentence; "" when none is.

    awake_for: seconds, None when it sleeps. Raises SockwakeError for a time that systemd does not
    know.
    """
    if not settings.backup or os.path.exists(instance.uninitialised_file):
        return ""
    last = backups.last_good(instance)
    fell_asleep = _fell_asleep(instance) if awake_for is None else None
    if last and awake_for is None and (not fell_asleep or fell_asleep < last.finished):
        return ""  # it has not been awake since, as far as anybody knows
    since = last.finished if last else os.stat(instance.env_file).st_mtime
    missed = ""
    if schedule.ON_SLEEP in settings.backup:
        missed = _on_sleep(settings, since, fell_asleep, awake_for)
    missed = missed or _by_calendar(settings, since)
    if not missed or _is_being_made(instance):
        return ""
    return f"{missed}, and {_age(last)}"


def _on_sleep(
    settings: Settings, since: float, fell_asleep: float | None, awake_for: float | None
) -> str:
    now = time.time()
    if fell_asleep and fell_asleep > since and now - fell_asleep > _GRACE:
        return f"it fell asleep {times.span(now - fell_asleep)} ago without a backup"
    if awake_for is None or len(settings.backup) > 1:
        return ""  # other times make it up
    if min(awake_for, now - since) < _LONGEST_AWAKE:
        return ""
    return f"it is awake for {times.span(awake_for)}, and BACKUP=on-sleep makes none meanwhile"


def _by_calendar(settings: Settings, since: float) -> str:
    events = [event for event in settings.backup if event != schedule.ON_SLEEP]
    due = [moment for event in events for moment in calendars.elapses(event, since)]
    late = time.time() - min(due) if due else 0
    return f"a backup was due {times.span(late)} ago" if late > _GRACE else ""


def _age(last: Backup | None) -> str:
    if not last:
        return "there is none"
    return f"the last good one is {times.span(time.time() - last.finished)} old"


def _is_being_made(instance: Instance) -> bool:
    service, _ = schedule.services(instance.name)
    return not instance.root and systemctl.active_state(service) in _RUNNING


def _fell_asleep(instance: Instance) -> float | None:
    """When it did, in seconds since 1970; None when it has not been awake since the boot."""
    try:
        noted = float(files.text_of(instance.asleep_since))
    except ValueError:
        return None
    return time.time() - (wakes.now() - noted)
