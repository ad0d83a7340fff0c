"""The options of sockwake-new about what is done for an instance while it sleeps."""

from collections.abc import Iterable

from sockwake.admin.option import Option
from sockwake.config import schedule
from sockwake.kinds.table import KINDS

_UPKEEP = "how it is looked after"


def backup(text: str) -> str:
    """When backups are made, at times that systemd knows."""
    _require_known(event for event in schedule.backup(text) if event != schedule.ON_SLEEP)
    return text


def keep_backups(text: str) -> str:
    """How many backups are kept."""
    return str(schedule.keep_backups(text))


def maintain(text: str) -> str:
    """The windows of its upkeep, at times that systemd knows."""
    _require_known(event for each in schedule.maintain(text) for event in (each.begin, each.end))
    return text


def _require_known(events: Iterable[str]) -> None:
    from sockwake.system import calendars  # late: nobody else needs it to make an instance

    for event in filter(None, events):
        calendars.elapses(event, 0.0)


OPTIONS = (
    Option(
        "--backup",
        "WHEN",
        "when it is backed up: on-sleep, or a time as in 'Sun 03:00', or no",
        type=backup,
        group=_UPKEEP,
        otherwise=schedule.NO,
        key="BACKUP",
        plain=True,
        words=(schedule.ON_SLEEP, "daily", "weekly", schedule.NO),
    ),
    Option(
        "--keep-backups",
        "N",
        "how many of its backups are kept",
        type=keep_backups,
        group=_UPKEEP,
        otherwise="all",
        key="KEEP_BACKUPS",
    ),
    Option(
        "--maintain",
        "WHEN",
        "when it is maintained, as in 'Sun 03:00', or no",
        type=maintain,
        group=_UPKEEP,
        kinds=tuple(name for name, kind in KINDS.items() if kind.has_cluster),
        otherwise=schedule.NO,
        key="MAINTAIN",
        plain=True,
    ),
)
