"""While an instance is awake: note when its last client left, and start an idle check.

The watcher does this for a container, the process that woke it for a program. The kernel reports
every connection that is closed (sock_diag(7)); none of a unix socket.
"""

from __future__ import annotations

import os
import select
import time

from sockwake.config import scope
from sockwake.errors import SockwakeError, reason
from sockwake.lifecycle import check_timer
from sockwake.system import journal, process, sockdiag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockwake.config.instance import Instance
    from sockwake.config.settings import Settings

_LONGER_THAN_IDLE = 2  # seconds
_TIMER_COMES_WITHIN = 5.0  # seconds
_TIMER_STAYS_FOR = 600.0  # seconds; an administrator may stop it
_GOODBYE = 1  # byte: the kernel counts the FIN
_LINE_EVERY = 60  # seconds between two lines about connections that sent nothing
_LONGEST_POLL = 2**31 - 1  # ms, 24 days; poll(2)
_NEVER = float("inf")


class Orders:
    """What a monitor has to do, as the process decides that has woken the instance.

    look_every: seconds without a client until an instance without a check is looked at, again and
        again; 0 for never. Most have gone to sleep by then. But systemd-socket-proxyd counts from
        the end of a connection: it would stay for ever when it was started by hand, or when
        connections that are no clients come time and again.
    events_fd: a descriptor of sockdiag.listen(), or -1.
    goodbye: a connection that has sent no more bytes than these was no client.
    check_every: seconds between the checks of an instance that has one; 0 for none. Without their
        timer, which systemd may have been too busy to make, one silent connection would keep the
        instance awake for ever.
    """

    __slots__ = ("check_every", "events_fd", "goodbye", "look_every")

    def __init__(
        self,
        *,
        look_every: float = 0,
        events_fd: int = -1,
        goodbye: int = _GOODBYE,
        check_every: float = 0,
    ) -> None:
        self.look_every = look_every
        self.events_fd = events_fd
        self.goodbye = goodbye
        self.check_every = check_every

    @classmethod
    def of(cls, settings: Settings) -> Orders:
        """What the settings ask for; events_fd is open for the program this process becomes."""
        needs_look = not settings.has_check and settings.idle < _NEVER
        return cls(
            look_every=settings.idle + _LONGER_THAN_IDLE if needs_look else 0,
            events_fd=_listen(settings),
            goodbye=max(settings.first_words, _GOODBYE),
            check_every=settings.check_every if settings.has_check else 0,
        )

    @classmethod
    def from_argv(cls, argv: list[str]) -> Orders:
        """What to_argv() made."""
        look_every, events_fd, goodbye, check_every = argv
        return cls(
            look_every=float(look_every),
            events_fd=int(events_fd),
            goodbye=int(goodbye),
            check_every=float(check_every),
        )

    def to_argv(self) -> list[str]:
        """LOOK_EVERY EVENTS_FD GOODBYE CHECK_EVERY."""
        look_every, check_every = f"{self.look_every:.0f}", f"{self.check_every:.3f}"
        return [look_every, f"{self.events_fd}", f"{self.goodbye}", check_every]

    @property
    def has_work(self) -> bool:
        """Whether a monitor is needed where no other process stays for the backend.

        It is for a check, too, whose timer it makes again, on a unix socket as well.
        """
        return self.look_every > 0 or self.events_fd >= 0 or self.check_every > 0


def _listen(settings: Settings) -> int:
    """A descriptor that reports closed connections, or -1 where they tell nothing.

    The kernel reports none of a unix socket. Where the server speaks first, any connection may be a
    client's, and the proxy counts those.
    """
    if settings.has_unix_socket or not (settings.first_words or settings.counts_clients):
        return -1
    try:
        fd = sockdiag.listen(settings.places)
    except OSError as error:
        journal.say(f"every connection will count as a client's: {reason(error)}")
        return -1
    os.set_inheritable(fd, True)
    return fd


class ClientMonitor:
    """Carries out its orders while its owner waits for something else."""

    def __init__(self, instance: Instance, orders: Orders) -> None:
        self._instance = instance
        self._check_every = orders.check_every
        self._look_every = orders.look_every or _NEVER
        self._closed: ClosedConnections | None = None
        if orders.events_fd >= 0:
            self._closed = ClosedConnections(instance, orders.events_fd, orders.goodbye)
        self._timer_due = _NEVER
        if self._check_every:
            self._timer_due = time.monotonic() + self._check_every + _TIMER_COMES_WITHIN
        self._put_off_look()

    def wait(self, *fds: int) -> set[int]:
        """Wait until some of fds can be read or have ended, and return those."""
        events_fd = self._closed.fd if self._closed else -1
        while True:
            ready = readable(*fds, events_fd, timeout=self._next_due() - time.monotonic())
            if self._closed and events_fd in ready and self._closed.read_events():
                self._put_off_look()
            self._do_what_is_due()
            if ready - {events_fd}:
                return ready

    def end(self) -> None:
        """Write the last line about connections that sent nothing."""
        if self._closed:
            self._closed.sum_up()

    def _next_due(self) -> float:
        line_due = self._closed.line_due if self._closed else _NEVER
        return min(self._look_due, self._timer_due, line_due)

    def _do_what_is_due(self) -> None:
        if self._closed and time.monotonic() >= self._closed.line_due:
            self._closed.sum_up()
        if time.monotonic() >= self._look_due:
            self._put_off_look()
            self._start_check()
        if time.monotonic() >= self._timer_due:
            self._timer_due = time.monotonic() + max(self._check_every, _TIMER_STAYS_FOR)
            journal.aside(check_timer.keep, self._instance, self._check_every)

    def _put_off_look(self) -> None:
        self._look_due = time.monotonic() + self._look_every

    def _start_check(self) -> None:
        unit = f"{self._instance.check_unit}.service"
        try:
            process.spawn(["systemctl", *scope.switch(), "--no-block", "start", unit])
        except SockwakeError as error:
            journal.say(error.whole)


class ClosedConnections:
    """The connections that the kernel has reported as closed.

    Notes when the last client left, for the check: a connection that sends nothing must not keep
    the instance awake. Those get one line a minute: a line for each would drop the server's own
    from the journal.
    """

    def __init__(self, instance: Instance, events_fd: int, goodbye: int) -> None:
        self.fd = events_fd
        self._name = instance.name
        self._goodbye = goodbye
        self._silent, self._last_silent = 0, ""
        self._next_line = 0.0
        self._note = -1
        journal.aside(self._open_note, instance.last_visit)
        self._note_client()

    @property
    def line_due(self) -> float:
        """When to call sum_up(), by time.monotonic()."""
        return self._next_line if self._silent else _NEVER

    def read_events(self) -> bool:
        """Take what the kernel has reported; whether a client was among it."""
        is_client, silent = False, b""
        try:
            for connection, said in sockdiag.read(self.fd):
                if said > self._goodbye:
                    is_client = True
                else:
                    self._silent += 1
                    silent = connection
        except OSError:  # the kernel has dropped reports; any of them may have been of a client
            is_client = True
        if silent:
            self._last_silent = sockdiag.client_of(silent)
        if is_client:
            self._note_client()
        return is_client

    def sum_up(self) -> None:
        """Write how many connections sent nothing since the last such line."""
        last, count = self._last_silent, self._silent
        said = f"a connection from {last} sent nothing"
        if count > 1:
            said = f"{count} connections in the last minute sent nothing, the last from {last}"
        if count:
            journal.record("strangers", self._name, said, client=last, count=count)
        self._silent = 0
        self._next_line = time.monotonic() + _LINE_EVERY

    def _open_note(self, path: str) -> None:
        self._note = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def _note_client(self) -> None:
        if self._note >= 0:
            journal.aside(os.pwrite, self._note, f"{time.monotonic():017.3f}\n".encode(), 0)


def readable(*fds: int, timeout: float = _NEVER) -> set[int]:
    """Wait until some of fds can be read or have ended, and return those.

    fds: a negative one is ignored. timeout: seconds after which it returns none.
    """
    poll = select.poll()
    for fd in fds:
        if fd >= 0:
            poll.register(fd, select.POLLIN)
    return {fd for fd, _ in poll.poll(min(max(timeout, 0) * 1000, _LONGEST_POLL))}
