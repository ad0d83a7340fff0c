"""When an instance is looked after: BACKUP=, KEEP_BACKUPS= and MAINTAIN=.

sockwake-generator reads the times in sh. Whether systemd knows one, systemd itself tells.
"""

from __future__ import annotations

from sockwake.config import hours
from sockwake.config.hours import Hours
from sockwake.errors import USAGE, SockwakeError

NO, ON_SLEEP = "no", "on-sleep"
_OF_A_TIME = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,:/*~_+-"
_MOST = 100_000  # backups of an instance


def services(name: str) -> tuple[str, str]:
    """The units that back an instance up and maintain it; each may have a timer of its name."""
    return f"pg-backup@{name}.service", f"pg-maintain@{name}.service"


def timers(name: str) -> tuple[str, ...]:
    """The timers that an instance may have, which keep their last times (Persistent=)."""
    return f"pg-backup@{name}.timer", f"pg-maintain@{name}.timer", f"pg-expire@{name}.timer"


def backup(text: str) -> tuple[str, ...]:
    """When backups are made: ON_SLEEP, and calendar events; none for "no".

    Raises SockwakeError (usage).
    """
    return tuple(_backup_time(item.strip()) for item in text.split("|")) if text != NO else ()


def maintain(text: str) -> tuple[Hours, ...]:
    """The windows of the upkeep; one that is only an event has no end: "". None for "no".

    Raises SockwakeError (usage).
    """
    return tuple(_window(item.strip()) for item in text.split("|")) if text != NO else ()


def keep_backups(text: str) -> int:
    """How many backups are kept; raises SockwakeError (usage)."""
    is_number = text.isascii() and text.isdigit() and len(text) <= 6 and text[0] != "0"
    if not is_number or int(text) > _MOST:
        raise SockwakeError(
            f"'{text}' is not a number of backups from 1 to {_MOST}",
            "leave it out to keep all",
            USAGE,
        )
    return int(text)


def _backup_time(item: str) -> str:
    if item != ON_SLEEP and (_is_hours(item) or not _can_be_an_event(item)):
        raise SockwakeError(
            f"'{item}' in BACKUP tells no time",
            f"{NO}, {ON_SLEEP}, or a time as in Sun 03:00 or daily",
            USAGE,
        )
    return item


def _window(item: str) -> Hours:
    if _is_hours(item):
        return hours.parse_one(item, "MAINTAIN")
    if item == ON_SLEEP or not _can_be_an_event(item):
        raise SockwakeError(
            f"'{item}' in MAINTAIN tells no time",
            f"{NO}, or a time as in Sun 03:00, or hours as in Sun 03:00-03:30",
            USAGE,
        )
    return Hours(item, "")


def _is_hours(item: str) -> bool:
    """Whether an item is meant as hours, as in 03:00-05:00."""
    return any("-" in word.partition(":")[2] for word in item.split())


def _can_be_an_event(item: str) -> bool:
    return bool(item) and not item.strip(_OF_A_TIME) and item not in (NO, "-")
