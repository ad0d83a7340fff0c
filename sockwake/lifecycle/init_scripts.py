"""The image's entrypoint while it makes a cluster: what it is at, and whether it gets on."""

import os
import re
import select
import time
from collections.abc import Callable

from sockwake.errors import SockwakeError
from sockwake.postgres import postmaster
from sockwake.system import files, pids, sdnotify

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockwake.lifecycle.attached import Started

_LOOK_EVERY = 200  # ms
_MEASURE_EVERY = 1.0  # seconds, or longer where the measuring itself takes long
_TELL_EVERY = 10.0  # seconds
# a server without work takes less of a processor, in each second: no progress
_AT_WORK = 0.02
_WORKED = slice(11, 15)  # utime to cstime in proc_pid_stat(5), behind the name
_SCRIPT = re.compile(r"(?:running|sourcing) (/docker-entrypoint-initdb\.d/.+)")
_DONE = "PostgreSQL init process complete"
_PROBLEM = re.compile(r"\b(?:ERROR|FATAL|PANIC|error)\b:?")


class Words:
    """What the entrypoint says: the script it is in, and the line that tells what went wrong."""

    def __init__(self) -> None:
        self.script = ""
        self._problem = ""
        self._rest = b""

    def hear(self, text: bytes) -> None:
        """Take a piece of its output."""
        *lines, self._rest = (self._rest + text).split(b"\n")
        for line in lines:
            self._take(line.decode(errors="replace").strip())

    def _take(self, line: str) -> None:
        if found := _SCRIPT.search(line):
            self.script, self._problem = found[1], ""
        elif line.startswith(_DONE):
            self.script = ""
        elif self.script and f"{self.script}:" in line:
            self._problem = line  # as psql and sh put it: file, line, reason
        elif _PROBLEM.search(line) and not (self.script and f"{self.script}:" in self._problem):
            self._problem = line

    def failure(self, error: SockwakeError, hint: str = "") -> SockwakeError:
        """error, with the script it happened in and that script's own words."""
        if not self.script:
            return error
        self._take(self._rest.decode(errors="replace").strip())
        return SockwakeError(
            f"{error.message} in init script {self.script} of its image",
            hint or error.hint or "mend it in the image; nothing was kept of this attempt",
            said=self._problem or error.said,
        )


class Progress:
    """Whether the processes of a container get on: by output, processor time or growth of data."""

    def __init__(self, pid: int, data: str, patience: float) -> None:
        """pid: its process 1. patience: seconds without any progress, after which it is over."""
        self._pid = pid
        self._data = data
        self._patience = patience
        self._last = self._measured = time.monotonic()
        self._every = _MEASURE_EVERY
        self._worked = processor_time(pid)
        self.size = 0

    def mark(self) -> None:
        """There is progress."""
        self._last = time.monotonic()

    def is_over(self) -> bool:
        """Whether there has been none for too long; measures now and then."""
        now = time.monotonic()
        if now - self._measured >= self._every:
            self._measure(now)
        return now - self._last > self._patience

    def _measure(self, now: float) -> None:
        worked, size = processor_time(self._pid), files.disk_usage(self._data)
        at_work = worked - self._worked > _AT_WORK * (now - self._measured)
        if at_work or size > self.size:
            self._last = now
        self._worked, self.size, self._measured = worked, size, now
        self._every = max(_MEASURE_EVERY, 20 * (time.monotonic() - now))


def keep_quiet(_sentence: str) -> None:
    """Tell nothing of the progress."""


def processor_time(pid: int) -> float:
    """Seconds that the processes of a container have worked, with those that have ended.

    pid: its process 1. They are those of its pid namespace: without a control group of its own it
    is in that of whoever makes the cluster, whose work is no progress. 0 when it has ended.
    """
    ticks = 0
    try:
        namespace = os.readlink(f"/proc/{pid}/ns/pid")
        for each in pids.every():
            if _namespace_of(each) == namespace:
                fields = files.text_of(f"/proc/{each}/stat").rpartition(")")[2].split()
                ticks += sum(map(int, fields[_WORKED]))
    except OSError:
        return 0.0
    return ticks / os.sysconf("SC_CLK_TCK")


def _namespace_of(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")
    except OSError:
        return ""


def await_server(
    container: "Started",
    data: str,
    patience: float,
    write: Callable[[bytes], object],
    tell: Callable[[str], object],
) -> None:
    """Return when the entrypoint has made the cluster in data, and has become its server.

    It may take as long as it makes progress. patience: as in Progress. tell: gets a sentence about
    that now and then. Raises SockwakeError with the script of the image that failed, or hangs.
    """
    words = Words()
    pid = container.pid()
    progress = Progress(pid, data, patience)
    poll = select.poll()
    poll.register(container.fd, select.POLLIN)
    began = told = time.monotonic()

    def heard(text: bytes) -> None:
        progress.mark()
        words.hear(text)
        write(text)

    while not postmaster.has_taken_over(pid):
        if poll.poll(_LOOK_EVERY) and not container.relay(heard):
            raise words.failure(container.how_it_ended())
        if sdnotify.is_asked_to_end():
            raise SockwakeError("it was stopped while its cluster was made", "wake it again")
        if progress.is_over():
            raise words.failure(_stuck(patience), "START_TIMEOUT, if it only needs longer")
        if time.monotonic() - told > _TELL_EVERY:
            told = time.monotonic()
            tell(_state(told - began, progress.size, words.script))


def _stuck(patience: float) -> SockwakeError:
    return SockwakeError(
        f"its container made no progress within {patience:g} s "
        "(no output, no processor time, no growth of its data)",
        "START_TIMEOUT, if it only needs longer",
    )


def _state(seconds: float, size: int, script: str) -> str:
    where = f", in {script}" if script else ""
    return f"making the cluster: {seconds:.0f} s, {size >> 20} MB{where}"
