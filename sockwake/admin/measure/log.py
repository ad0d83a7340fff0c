"""Ask the journal for the events of instances, by matches that it has indexes of."""

import json
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sockwake.admin.measure import events
from sockwake.admin.measure.events import Event
from sockwake.config import scope, timespan
from sockwake.errors import USAGE, SockwakeError
from sockwake.lifecycle import main_process
from sockwake.system import files, process

_BOOT_ID = "/proc/sys/kernel/random/boot_id"
_LONG = 600  # seconds; a journal can have gigabytes on a slow disk
_FEW = 16  # names up to which each is a match of its own; of more the journal is slow
_EMPTY = "No journal files were found"
_WHO_MAY = "run this as root, or as a user in the group systemd-journal"
_WHO_MAY_ITS_OWN = "run this as a user in the group systemd-journal"
_RELATIVE = re.compile(r"[0-9. a-zµ]*[0-9][0-9. a-zµ]*")


@dataclass(frozen=True)
class Boot:
    """One start of the machine, in seconds since the epoch: its first and last entry."""

    id: str
    began: float
    ended: float


def moment(text: str) -> float:
    """Seconds since the epoch of a time of systemd.time(7), or of a span before now as in 7d.

    Raises SockwakeError (usage).
    """
    if _RELATIVE.fullmatch(text):
        try:
            span = timespan.parse(text)
        except SockwakeError:
            pass
        else:
            return time.time() - span
    shown = process.run(["systemd-analyze", "timestamp", "--", text], check=False)
    found = re.search(r"UNIX seconds: @([0-9.]+)", shown)
    if not found:
        raise SockwakeError(
            f"'{text}' is no time", "write it as in 7d, yesterday or '2026-11-28 12:00'", USAGE
        )
    return float(found[1])


def read(
    names: Sequence[str] = (), *, since: float = 0, until: float = 0, most: int = 0
) -> list[Event]:
    """The events of instances, of all without names, in the order of the journal.

    By their times they would be in another where the clock was set back.

    since, until: seconds since the epoch, 0 for all. most: how many of the last are enough, 0 for
    all; there may be some more, or fewer of some kinds.
    """
    limits = [f"--since=@{since:.6f}"] if since else []
    limits += [f"--until=@{until:.6f}"] if until else []
    few = [f"--lines={most}"] if most else []
    found = [*events.parse(_ask([*limits, *few], _matches(names)), uid=_writer())]
    first = _first_with_fields()
    if not first or first > since:
        end = min(filter(None, (first, until)), default=0.0)
        older = [f"--until=@{end:.6f}"] if end else []
        grep = ["--case-sensitive=yes", f"--grep={events.OLD_TEXTS}"]
        lines = _ask([*limits[: 1 if since else 0], *older, *grep], _old_matches(names))
        found = _with_older(found, [*events.parse(lines, uid=_writer())], first)
    return [event for event in found if not names or event.name in names]


def _with_older(found: Sequence[Event], older: Sequence[Event], first: float) -> list[Event]:
    """Both, where older ones have texts alone. first: when the first with fields was written, or 0.

    What a proxy has written before that is among the others, and was written between the older.
    """
    behind = (place for place, event in enumerate(found) if first and event.at >= first)
    place = next(behind, len(found))
    before = sorted([*older, *found[:place]], key=lambda event: event.at)
    return [*before, *found[place:]]


def boots() -> list[Boot]:
    """Every start of the machine that the journal knows, the oldest first.

    Many machines set their clock only after the first entries; of the present start it is known
    when that was by the clock as it is now.
    """
    argv = ["journalctl", "--quiet", "--list-boots", "--output=json"]
    shown = process.run(argv, check=False, timeout=_LONG)
    try:
        found = [
            Boot(each["boot_id"], each["first_entry"] / 1e6, each["last_entry"] / 1e6)
            for each in json.loads(shown or "[]")
        ]
    except (ValueError, KeyError, TypeError):
        return []
    own = files.text_of(_BOOT_ID).strip().replace("-", "")
    try:
        # by systemd's own age: a container is younger than the kernel
        began = time.time() - main_process.age(1)
    except SockwakeError:  # hidepid of proc(5)
        return found
    return [replace(boot, began=began) if boot.id == own else boot for boot in found]


def after(cursor: str) -> tuple[list[Event], str]:
    """The events behind a cursor, of this boot without one, and the cursor of the last entry."""
    where = [f"--after-cursor={cursor}"] if cursor else ["--boot"]
    lines = _ask([*where, "--show-cursor"], _matches(()))
    last = lines[-1] if lines else ""
    found = last.removeprefix("-- cursor: ") if last.startswith("-- cursor: ") else cursor
    return [*events.parse(lines, uid=_writer())], found


def _ask(limits: Sequence[str], matches: Sequence[str]) -> list[str]:
    """The lines of journalctl in JSON.

    Of a user's own it is not --user, as for sockwake logs: a journal that is kept in memory alone
    is the system's, with the messages of all users.
    """
    form = ["--quiet", "--no-pager", "--output=json", f"--output-fields={','.join(events.FIELDS)}"]
    argv = ["journalctl", *form, *limits, *matches]
    try:
        return process.run(argv, timeout=_LONG).splitlines()
    except process.ProgramError as error:
        if not error.said or error.said.startswith(_EMPTY):  # nothing matches
            return []
        who = _WHO_MAY_ITS_OWN if scope.is_user() else _WHO_MAY
        raise SockwakeError("the journal cannot be read", who, said=error.said) from None


def _writer() -> int:
    """Whose entries count: of the system's instances root's, whoever asks."""
    return scope.UID if scope.is_user() else 0


def _matches(names: Sequence[str]) -> list[str]:
    """What finds all that events.parse() knows; every group is behind a "+"."""
    few = names if len(names) <= _FEW else ()
    unit = "_SYSTEMD_USER_UNIT" if scope.is_user() else "_SYSTEMD_UNIT"
    about = "USER_UNIT" if scope.is_user() else "UNIT"
    return [
        f"_UID={_writer()}",
        *(f"SOCKWAKE_EVENT={kind}" for kind in events.KINDS),
        *(f"SOCKWAKE_INSTANCE={name}" for name in few),
        "+",
        f"SYSLOG_IDENTIFIER={events.PROXY_IDENTIFIER}",
        "_TRANSPORT=stdout",
        *_of_the_user(),
        *(f"{unit}=pg-proxy@{name}.service" for name in few),
        "+",
        f"MESSAGE_ID={events.STOPPING_ID}",
        f"_UID={_writer()}",
        *(f"{about}=pg-proxy@{name}.service" for name in few),
    ]


def _of_the_user() -> list[str]:
    """What only entries of the user's systemd have; nothing for the system's instances."""
    return [f"_SYSTEMD_UNIT=user@{_writer()}.service"] if scope.is_user() else []


def _old_matches(names: Sequence[str]) -> list[str]:
    """The units that wrote texts before there were fields."""
    units = ("pg-postgres", "pg-wanted")
    if 0 < len(names) <= _FEW:
        unit = "_SYSTEMD_USER_UNIT" if scope.is_user() else "_SYSTEMD_UNIT"
        found = [f"{unit}={each}@{name}.service" for name in names for each in units]
        return [*_of_the_user(), *found]
    key, prefix = "_SYSTEMD_SLICE", "system"
    if scope.is_user():
        key, prefix = "_SYSTEMD_USER_SLICE", "app"
    slices = (f"{key}={prefix}-{each.replace('-', chr(92) + 'x2d')}.slice" for each in units)
    return [*_of_the_user(), *slices]


def _first_with_fields() -> float:
    """When the first event with fields was written, in seconds since the epoch; 0 for never."""
    lines = _ask(["--lines=+1"], _matches(())[: 1 + len(events.KINDS)])
    found = [*events.parse(lines, uid=_writer())]
    return found[0].at if found else 0
