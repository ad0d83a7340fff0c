"""Locks of flock(2) with a timeout."""

from __future__ import annotations

import fcntl
import os
import sys
import time

from sockwake.errors import IN_USE, SockwakeError
from sockwake.system import sdnotify

_LOOK_EVERY = 0.01  # seconds
_QUIET_FOR = 1  # seconds without a word on the terminal, or in the journal


def take(lock: int, what: str, seconds: float) -> None:
    """Lock an open file exclusively; raises SockwakeError (in use) after so many seconds.

    what: its name for the error, which names the process that holds the lock, too. It is also
    raised when a signal asks to end that is put off (sdnotify.put_off_ending).
    """
    began = time.monotonic()
    has_told = False
    while not _try(lock):
        waited = time.monotonic() - began
        if waited > seconds:
            raise SockwakeError(
                f"{what} was not free within {seconds:g} s: {_holder(lock)} has it", status=IN_USE
            )
        if sdnotify.is_asked_to_end():
            raise SockwakeError(f"it was stopped while {_holder(lock)} had {what}")
        if waited > _QUIET_FOR and not has_told and _is_read():
            print(f"sockwake: waiting for {what}: {_holder(lock)} has it", file=sys.stderr)
            has_told = True
        time.sleep(_LOOK_EVERY)


class Directory:
    """Holds the lock of a directory within a with statement.

    Entering raises as take(), whose what and seconds these are. A class: no wake loads contextlib.
    """

    def __init__(self, path: str, what: str, seconds: float) -> None:
        self._path, self._what, self._seconds = path, what, seconds

    def __enter__(self) -> None:
        self._lock = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            take(self._lock, self._what, self._seconds)
        except BaseException:
            os.close(self._lock)
            raise

    def __exit__(self, *_: object) -> None:
        os.close(self._lock)


def _is_read() -> bool:
    """Whether stderr is a terminal, or the journal (JOURNAL_STREAM of systemd.exec(5))."""
    status = os.fstat(2)
    is_journal = os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
    return is_journal or sys.stderr.isatty()


def _try(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(lock: int) -> str:
    """The process that holds the lock, from proc_locks(5)."""
    status = os.fstat(lock)
    place = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    try:
        with open("/proc/locks", encoding="ascii", errors="replace") as file:
            holders = [
                words[4]
                for words in map(str.split, file)
                if words[1] == "FLOCK" and words[5] == place
            ]
    except (OSError, IndexError):
        holders = []
    is_visible = holders and holders[0].isdigit() and holders[0] != "0"
    return f"process {holders[0]}" if is_visible else "another process"
