"""While an instance is awake: note when its last client left, and start an idle check.

The watcher of a container does so, and of a program the process that woke it. The kernel tells it of each connection that ends.
"""

from __future__ import annotations

import os
import select
import time

from sockwake.config import scope
from sockwake.config.instance import Instance
from sockwake.errors import SockwakeError
from sockwake.lifecycle import check_timer
from sockwake.system import journal, process, sockdiag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockwake.config.settings import Settings

_LONGER_THAN_IDLE = 2  # seconds
_TIMER_COMES_WITHIN = 5.0  # seconds
_TIMER_STAYS_FOR = 600.0  # seconds; an administrator may stop it
_GOODBYE = 1  # byte, as the kernel counts
_LINE_EVERY = 60  # seconds, about those who say nothing
_LONGEST_POLL = 2**31 - 1  # ms, 24 days; poll(2)


class ClientMonitor:
    """Waits for what its owner waits for, and looks after the clients meanwhile.

    guests: who has been connected, where that is told. every: seconds after the last one has left, and so on, until an
    instance that has no check is looked at; 0 for never. Most have gone to sleep by then. But systemd-socket-proxyd begins to
    count when a connection closes: it would stay for ever when it was started by hand, and nobody came, or when
    somebody connects time and again who is no client. check: seconds between the looks of one that has a check; 0 for none.
    Without its timer, which systemd may have been too busy to make, one silent connection would keep it awake for ever.
    """

    def __init__(
        self, instance: Instance, every: float, guests: ClosedConnections | None, check: float = 0
    ) -> None:
        self._instance = instance
        self._check = check
        self._timer_due = time.monotonic() + check + _TIMER_COMES_WITHIN if check else float("inf")
        self._unit = f"{instance.check_unit}.service"
        self._every = every or float("inf")
        self._guests = guests
        self._put_off()

    def wait(self, *fds: int) -> set[int]:
        """Those of fds that can be read or have ended, as soon as there are any; a negative one never does."""
        hearing = self._guests.fd if self._guests else -1
        while True:
            due = min(self._due, self._timer_due)
            due = min(due, self._guests.due) if self._guests else due
            ready = readable(*fds, hearing, timeout=due - time.monotonic())
            if self._guests and hearing in ready and self._guests.see_off():
                self._put_off()
            if self._guests and time.monotonic() >= self._guests.due:
                self._guests.sum_up()
            if time.monotonic() >= self._due:
                self._put_off()
                self._look()
            if time.monotonic() >= self._timer_due:
                self._timer_due = time.monotonic() + max(self._check, _TIMER_STAYS_FOR)
                journal.aside(check_timer.keep, self._instance, self._check)
            if ready - {hearing}:
                return ready

    def end(self) -> None:
        """Say what is still to be said."""
        if self._guests:
            self._guests.sum_up()

    def _put_off(self) -> None:
        """The next look."""
        self._due = time.monotonic() + self._every

    def _look(self) -> None:
        try:
            process.spawn(["systemctl", *scope.switch(), "--no-block", "start", self._unit])
        except SockwakeError as error:
            journal.say(error.whole)


def told(settings: Settings) -> list[str]:
    """Command-line arguments for a monitor: every, of its connections visits and words, and check. For the process that
    becomes it, which passes the descriptor on."""
    check = settings.check_every if settings.has_check else 0
    every = (
        settings.idle + _LONGER_THAN_IDLE
        if not settings.has_check and settings.idle < float("inf")
        else 0
    )
    return [
        f"{every:.0f}",
        f"{_hear_of_visits(settings)}",
        f"{max(settings.first_words, _GOODBYE)}",
        f"{check:.3f}",
    ]


def is_idle(told: list[str]) -> bool:
    """Whether no monitor is needed: the kernel reports no events for unix sockets."""
    every, visits = map(int, told[:2])
    return not every and visits < 0


def of(instance: Instance, told: list[str]) -> ClientMonitor:
    """The monitor with these arguments."""
    every, visits, words = map(int, told[:3])
    return ClientMonitor(
        instance,
        every,
        ClosedConnections(instance, visits, words) if visits >= 0 else None,
        float(told[3]),
    )


def _hear_of_visits(settings: Settings) -> int:
    """A descriptor, or -1: of a unix socket nobody is told, and where the server speaks first every visitor may be a
    client, whom a proxy counts."""
    if settings.has_unix_socket or not (settings.first_words or settings.is_native):
        return -1
    try:
        fd = sockdiag.listen(settings.port, settings.listen)
    except OSError as error:
        journal.say(
            f"every connection will count as a client's: {(error.strerror or str(error)).lower()}"
        )
        return -1
    os.set_inheritable(fd, True)
    return fd


class ClosedConnections:
    """Who has been connected: notes when the last who said something left, which is what the check goes by, and says of
    the others how many there were. Otherwise whoever only connects, time and again, would keep the instance awake; and with
    a line for each the journal would drop the server's own.

    visits: the descriptor of sockdiag.listen(). words: bytes that are no more than a goodbye, or less than any client says.
    """

    def __init__(self, instance: Instance, visits: int, words: int) -> None:
        self.fd = visits
        self._words = words
        self._silent, self._last_silent = 0, ""
        self._next_line = 0.0
        self._note = -1
        journal.aside(self._open_note, instance.last_visit)
        self._take_note()

    @property
    def due(self) -> float:
        """When, by time.monotonic(), there is something to sum up."""
        return self._next_line if self._silent else float("inf")

    def see_off(self) -> bool:
        """Whether one of those who have left had said something."""
        spoken, silent = False, b""
        try:
            for visit, said in sockdiag.read(self.fd):
                if said > self._words:
                    spoken = True
                else:
                    self._silent += 1
                    silent = visit
        except OSError:  # there were more than could be told of
            spoken = True
        if silent:
            self._last_silent = sockdiag.client_of(silent)
        if spoken:
            self._take_note()
        return spoken

    def sum_up(self) -> None:
        """Say how many connections sent nothing since the last line about them, which may be a minute old."""
        if self._silent == 1:
            journal.say(f"a connection from {self._last_silent} sent nothing")
        elif self._silent:
            journal.say(
                f"{self._silent} connections in the last minute sent nothing, the last from {self._last_silent}"
            )
        self._silent = 0
        self._next_line = time.monotonic() + _LINE_EVERY

    def _open_note(self, path: str) -> None:
        self._note = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def _take_note(self) -> None:
        if self._note >= 0:
            journal.aside(os.pwrite, self._note, f"{time.monotonic():017.3f}\n".encode(), 0)


def readable(*fds: int, timeout: float = float("inf")) -> set[int]:
    """Wait until some of fds can be read or have ended, and return those; a negative one never does.

    timeout: seconds after which it returns none.
    """
    poll = select.poll()
    for fd in fds:
        if fd >= 0:
            poll.register(fd, select.POLLIN)
    return {fd for fd, _ in poll.poll(min(max(timeout, 0) * 1000, _LONGEST_POLL))}
