"""A backup while it is made, under a name that is none yet, and how all of one is deleted.

The directory of an instance's backups is locked meanwhile, so that what has such a name in it was
left by a process that was killed.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sockwake.config.instance import Instance
from sockwake.errors import SockwakeError
from sockwake.lifecycle import backups
from sockwake.lifecycle.backups import Backup
from sockwake.system import deletion, files, locks, process

_LEFT = re.compile(
    rf"({re.escape(backups.NEW)}|{re.escape(backups.DOOMED)})"
    rf"\d{{4}}-\d\d-\d\dT\d{{6}}Z\.({'|'.join(backups.METHODS)})"
)
_LONGEST = 10  # seconds that a command which only looks may hold the lock


@contextmanager
def locked(instance: Instance) -> Iterator[str]:
    """Lock the directory of an instance's backups, which is made; yields it.

    What processes that were killed have left is deleted. Raises SockwakeError (in use).
    """
    top = backups.directory(instance)
    os.makedirs(os.path.dirname(os.path.dirname(top)), exist_ok=True)
    for path in (os.path.dirname(top), top):
        try:
            os.mkdir(path, 0o700)
        except FileExistsError:
            pass
    lock = os.open(top, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        locks.take(lock, f"the backups of '{instance.name}'", _LONGEST)
        for entry in os.listdir(top):
            if _LEFT.fullmatch(entry):
                deletion.tree(f"{top}/{entry}", quietly=True)
        yield top
    finally:
        os.close(lock)


class Staged:
    """A backup that is being made. path: where it is until it is whole."""

    def __init__(self, top: str, method: str) -> None:
        self._top = top
        self.method = method
        self.started = time.time()
        self._name = self._free_name()
        self.path = f"{top}/{backups.NEW}{self._name}"
        os.mkdir(self.path, 0o700)

    def _free_name(self) -> str:
        """A name with the time, or, if the clock was set back, one behind that of the newest.

        What is oldest and newest is told by the names, and the oldest are deleted.
        """
        moment = max(self.started, backups.newest(self._top) + 1)
        taken = {entry.partition(".")[0] for entry in os.listdir(self._top)}
        while backups.stamp(moment) in taken:
            moment += 1
        return f"{backups.stamp(moment)}.{self.method}"

    def take_files(self, instance: Instance) -> None:
        """Copy the files of /etc/sockwake/NAME, with modes and owners."""
        process.run(["cp", "--archive", f"{instance.etc}/.", self.part("instance")])

    def part(self, name: str) -> str:
        """A directory of it, which is made with the mode of one that is root's alone."""
        path = f"{self.path}/{name}"
        os.mkdir(path, 0o700)
        return path

    def publish(self, facts: dict[str, object]) -> Backup:
        """Write its status, and give it its name: it is a backup from now on.

        facts: what is said beside its own facts. All else has been synced.
        """
        count, size, directories = backups.measure(self.path)
        known = facts | {
            "method": self.method,
            "started": backups.written(self.started),
            "finished": backups.written(time.time()),
            "bytes": files.disk_usage(self.path),
            "files": count,
            "content_bytes": size,
            "directories": directories,
        }
        files.write_new(f"{self.path}/{backups.STATUS}", 0o600, f"{json.dumps(known, indent=2)}\n")
        files.sync(self.path)
        final = f"{self._top}/{self._name}"
        os.rename(self.path, final)
        files.sync(self._top)
        made = backups.at(final)
        if not made:
            raise SockwakeError(f"the status of {final} cannot be read")
        return made

    def discard(self) -> None:
        """Delete what there is of it."""
        deletion.tree(self.path, quietly=True)


def delete(backup: Backup) -> None:
    """Delete a backup; from the first moment it is none any more. Call it under locked()."""
    top, name = os.path.split(backup.path)
    doomed = f"{top}/{backups.DOOMED}{name}"
    os.rename(backup.path, doomed)
    files.sync(top)
    deletion.tree(doomed)


def note(backup: Backup, **facts: object) -> None:
    """Change the status of a backup, whole or not at all."""
    known = backup.facts | facts
    files.replace(f"{backup.path}/{backups.STATUS}", 0o600, f"{json.dumps(known, indent=2)}\n")
