"""One hold of an instance: who has taken it, until when and why."""

from __future__ import annotations

import os
import time

from sockwake.config import scope
from sockwake.lifecycle import start_attempt
from sockwake.system import files

# who holds an instance in the hours that its instance.env names
HOURS, WINDOW = "KEEP=", "MAINTAIN="
_NO_UID = 2**32 - 1


class Hold:
    """One hold of an instance.

    id: tells it from the others of its instance. who: the user that took it, or HOURS or WINDOW.
    since: seconds since 1970. end: when it ends, in seconds since 1970 as in "@1795885200", or
    since the boot as in "86400"; "" for never. pid: the process with which it ends, 0 for none.
    tty: the terminal it was taken at, or "". reason: in words, or "".
    """

    __slots__ = ("end", "id", "name", "pid", "reason", "since", "tty", "who")

    def __init__(
        self,
        name: str,
        number: int,
        who: str,
        *,
        since: float,
        end: str = "",
        pid: int = 0,
        tty: str = "",
        reason: str = "",
    ) -> None:
        self.name = name
        self.id = number
        self.who = who
        self.since = since
        self.end = end
        self.pid = pid
        self.tty = tty
        self.reason = reason

    @property
    def until(self) -> float | None:
        """When it ends, in seconds since 1970, as the clock is set now; None for never."""
        if self.end.startswith("@"):
            return float(self.end[1:])
        return float(self.end) - uptime() + time.time() if self.end else None

    @property
    def has_ended(self) -> bool:
        """Whether its process has, which the unit notices a moment later."""
        return bool(self.pid) and not os.path.exists(f"/proc/{self.pid}")

    @property
    def unit(self) -> str:
        return f"pg-keep@{self.name}:{self.id}.service"

    @property
    def is_of_hours(self) -> bool:
        """Whether the instance's own KEEP= or MAINTAIN= has taken it, and no user."""
        return self.who in (HOURS, WINDOW)

    @property
    def holder(self) -> str:
        """Who has it, as in "root (pts/0)" or "root (process 711)"."""
        where = f"process {self.pid}" if self.pid else self.tty
        return f"{self.who} ({where})" if where else self.who

    def facts(self) -> dict[str, object]:
        """What --json says of it; times in seconds since 1970."""
        return {
            "id": self.id,
            "who": self.who,
            "pid": self.pid or None,
            "tty": self.tty or None,
            "since": round(self.since),
            "until": None if (end := self.until) is None else round(end),
            "reason": self.reason or None,
        }

    def sentence(self) -> str:
        """What is told of it: who has it, since when, until when and why."""
        since, end = moment(self.since), self.until
        until = "" if end is None else f" until {moment(end)}"
        why = f": {self.reason}" if self.reason else ""
        return f"{self.holder} since {since}{until}{why}"

    def note(self) -> str:
        """The hold as text that read_note() takes."""
        words = (self.who, f"{self.since:.0f}", self.end, f"{self.pid}", self.tty, self.reason)
        return "\n".join(words).encode().hex()


def moment(seconds: float) -> str:
    """A time in seconds since 1970, as text: without its date when that is today's."""
    local, today = time.localtime(seconds), time.localtime()
    date = "" if local[:3] == today[:3] else time.strftime("%Y-%m-%d ", local)
    return date + time.strftime("%H:%M" if local.tm_sec == 0 else "%H:%M:%S", local)


def read_note(name: str, number: int, note: str) -> Hold | None:
    """The hold in a note; None when it is none."""
    try:
        who, since, end, pid, tty, reason = bytes.fromhex(note).decode().split("\n")
        float(end.removeprefix("@") or "0")
        return Hold(
            name, number, who, since=float(since), end=end, pid=int(pid), tty=tty, reason=reason
        )
    except ValueError:
        return None


def uptime() -> float:
    """Seconds since the boot, whatever becomes of the clock, as bin/keep counts."""
    return start_attempt.since_boot()


def user() -> str:
    """The name of the user who has logged in as whom this process runs, also behind sudo."""
    import pwd

    login = files.text_of("/proc/self/loginuid").strip()
    uid = int(login) if login.isdigit() and int(login) != _NO_UID else scope.UID
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"{uid}"
