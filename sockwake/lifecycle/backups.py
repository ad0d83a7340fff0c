"""The backups of an instance, as they are on the disk; nothing here changes any.

/var/backups/sockwake/NAME/TIMESTAMP.METHOD has what METHOD tells: "files", the stopped data as they
were; "basebackup", what pg_basebackup(1) made of a server that ran; "dump", what pg_dump(1) did.

    instance/   the files of /etc/sockwake/NAME, with their modes and owners
    data/       the data directory, or the dumps
    volumes/    what an image or a project keeps in volumes, each in a directory of its own
    status      what is known of it, as JSON

It has this name only when it is whole and synced. What is being made, or was when its process was
killed, begins with ".new-", and what is being deleted with ".rm-".

Backups outlive their instance. The file "earlier" names those that were there when another one got
that name, made with data of its own or renamed: they are not its own, and do not expire for it.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from sockwake.config import scope
from sockwake.config.instance import Instance
from sockwake.errors import SockwakeError, shown
from sockwake.system import files, safe_path

FILES, BASEBACKUP, DUMP = METHODS = ("files", "basebackup", "dump")
STATUS = "status"
NEW, DOOMED = ".new-", ".rm-"
_FAILURE, _EARLIER = "failure", "earlier"
_STAMP = "%Y-%m-%dT%H%M%SZ"  # as pg_backupcluster(1) has it
_WRITTEN = "%Y-%m-%dT%H:%M:%SZ"
_NAME = re.compile(rf"(\d{{4}}-\d\d-\d\dT\d{{6}}Z)\.({'|'.join(METHODS)})")


class DamagedError(SockwakeError):
    """A backup is not what was made, or no server starts of it."""


@dataclass(frozen=True)
class Backup:
    """One backup that is whole.

    name: of its instance, now. stamp: TIMESTAMP. method: FILES, BASEBACKUP or DUMP.
    path: where it is. started, finished: seconds since 1970.
    bytes: what its files take, with blocks that are shared.
    damage: what `sockwake backups verify` has found, or "".
    verified: when it found nothing, in seconds since 1970; 0 for never.
    facts: all that its status says.
    is_earlier: whether it is of another instance, which had the name before and was removed.
    """

    name: str
    stamp: str
    method: str
    path: str
    started: float
    finished: float
    bytes: int
    damage: str = ""
    verified: float = 0.0
    facts: dict[str, Any] = field(default_factory=dict, compare=False)
    is_earlier: bool = False

    @property
    def instance_files(self) -> str:
        """The directory that has the instance's own files."""
        return f"{self.path}/instance"

    @property
    def data(self) -> str:
        """The directory that has its data, or its dumps."""
        return f"{self.path}/data"

    @property
    def volumes(self) -> str:
        """The directory that has a directory for each volume; may be missing."""
        return f"{self.path}/volumes"

    @property
    def name_then(self) -> str:
        """The name that its instance had when it was made."""
        return str(self.facts["instance"])

    @property
    def title(self) -> str:
        """What it is called in an error."""
        return f"backup {self.stamp} of '{self.name}'"

    @property
    def is_good(self) -> bool:
        """Whether nothing is known to be wrong with it."""
        return not self.damage


@dataclass(frozen=True)
class Failure:
    """A backup that could not be made. when: seconds since 1970. why: a sentence."""

    when: float
    why: str


def directory(instance: Instance) -> str:
    """Where the backups of an instance are; raises SockwakeError for a place outside its tree."""
    path = f"{scope.backups(instance.root)}/{instance.name}"
    safe_path.require_in_tree(instance.root, path)
    return path


def of(instance: Instance) -> list[Backup]:
    """All whole backups of a name, the oldest first; none for a user who may not look."""
    return list(_each(instance, _paths(instance)))


def own(instance: Instance) -> list[Backup]:
    """All whole backups of the instance that has the name now, the oldest first."""
    return [each for each in of(instance) if not each.is_earlier]


def last_good(instance: Instance) -> Backup | None:
    """The newest backup of the instance with which nothing is known to be wrong."""
    newest_first = _each(instance, reversed(_paths(instance)))
    return next((each for each in newest_first if each.is_good and not each.is_earlier), None)


def _each(instance: Instance, paths: Iterable[str]) -> Iterator[Backup]:
    earlier = files.text_of(f"{directory(instance)}/{_EARLIER}").split()
    for path in paths:
        if found := at(path):
            is_earlier = os.path.basename(path) in earlier
            yield replace(found, name=instance.name, is_earlier=is_earlier)


def newest(top: str) -> float:
    """The time in the name of the newest whole backup in a directory, in seconds since 1970.

    0 when there is none.
    """
    for entry in sorted(os.listdir(top), reverse=True):
        with suppress(ValueError):  # no date has these digits
            if found := at(f"{top}/{entry}"):
                return _moment(found.stamp, _STAMP)
    return 0.0


def note_earlier(instance: Instance) -> None:
    """Have the backups that there are be those of an earlier instance; of a name that is new.

    Call it before the name is there: it takes all of them for the earlier one's. Raises OSError.
    """
    top = directory(instance)
    if not os.path.isdir(top):
        return
    noted = f"{top}/{_EARLIER}"
    if names := [os.path.basename(path) for path in _paths(instance)]:
        files.replace(noted, 0o600, "".join(f"{each}\n" for each in names))
    else:
        files.remove(noted)
    files.remove(failure_file(instance))


def at(path: str) -> Backup | None:
    """The backup in a directory of any place; None when it is none of sockwake's."""
    named = _NAME.fullmatch(os.path.basename(path))
    if not named or os.path.islink(path):
        return None
    try:
        facts = json.loads(files.text_of(f"{path}/{STATUS}"))
        return Backup(
            str(facts["instance"]),
            named[1],
            named[2],
            path,
            seconds(facts["started"]),
            seconds(facts["finished"]),
            int(facts["bytes"]),
            str(facts.get("damage") or ""),
            seconds(facts["verified"]) if facts.get("verified") else 0.0,
            facts,
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None  # without a status that can be read it is none that was finished


def require_usable(backup: Backup) -> None:
    """Raise DamagedError unless all its files are there; warn of one that was found damaged."""
    try:
        require_all_files(backup)
    except DamagedError as error:
        raise DamagedError(
            f"{backup.title} is damaged: {error.message}", f"what is left is in {backup.path}"
        ) from None
    if backup.damage:
        said = f"{backup.title} was found damaged: {backup.damage}"
        print(f"sockwake: warning: {shown(said)}", file=sys.stderr)


def require_all_files(backup: Backup) -> int:
    """How many files a backup has, which are those that it was made with; raises DamagedError."""
    count, size, directories = measure(backup.path)
    had = backup.facts.get("files"), backup.facts.get("content_bytes")
    if had != (None, None) and had != (count, size):
        raise DamagedError(
            f"it has {count} files of {size} bytes together, and had {had[0]} of {had[1]}"
        )
    had_directories = backup.facts.get("directories")
    if had_directories not in (None, directories):
        raise DamagedError(
            f"it has {directories} directories and links to some, and had {had_directories}"
        )
    return count


def measure(path: str) -> tuple[int, int, int]:
    """How many files a backup has beside its status, and how many bytes these have together.

    And how many directories are below its own, and links to some.
    """
    count = size = directories = 0
    for at, folders, names in os.walk(path):
        directories += len(folders)
        for name in names:
            if at != path or name not in (STATUS, f"{STATUS}.new"):
                count += 1
                size += os.lstat(f"{at}/{name}").st_size
    return count, size, directories


def failure(instance: Instance) -> Failure | None:
    """Why the last attempt at a backup failed; None when it did not."""
    words = files.text_of(failure_file(instance)).strip().split(" ", 1)
    try:
        return Failure(seconds(words[0]), words[1])
    except (ValueError, IndexError):
        return None


def failure_file(instance: Instance) -> str:
    """There when the last attempt has failed: when, and why, on one line."""
    return f"{directory(instance)}/{_FAILURE}"


def stamp(moment: float) -> str:
    """A time, in seconds since 1970, as it is in the names of backups."""
    return time.strftime(_STAMP, time.gmtime(moment))


def written(moment: float) -> str:
    """A time, in seconds since 1970, as a status has it: "2026-11-29T01:40:00Z"."""
    return time.strftime(_WRITTEN, time.gmtime(moment))


def seconds(text: str) -> float:
    """Seconds since 1970 of a time as a status has it; raises ValueError."""
    return _moment(text, _WRITTEN)


def _moment(text: str, form: str) -> float:
    import calendar

    return float(calendar.timegm(time.strptime(text, form)))


def _paths(instance: Instance) -> list[str]:
    """What may be backups of an instance by their names, which have the oldest first."""
    top = directory(instance)
    try:
        return [f"{top}/{entry}" for entry in sorted(os.listdir(top)) if _NAME.fullmatch(entry)]
    except OSError:
        return []
