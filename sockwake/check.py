"""Asks once whether an instance may sleep, and if so puts it to sleep: ExecStart of pg-check@NAME.service.

A client that comes at this moment must not lose anything. So what could take its connection is first made to stand
still; if somebody has come, it goes on as if nothing had been. What comes later waits in the socket's queue.
"""

from __future__ import annotations

import os
import signal
import sys
import time

from sockwake import allow, checking, clients, files, journal, manager, programs, runtime, scope, systemctl, tcp, trust
from sockwake.container import Container
from sockwake.engine import Engine, EngineError
from sockwake.errors import SockwakeError
from sockwake.instance import Instance, Name
from sockwake.kind import BUILTIN, NONE
from sockwake.settings import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_STOPS_WITHIN = 1.0  # seconds a process may take to stand still
_BY_STANDING_STILL = 1  # switches of a process that sleeps
_FOREVER = float("inf")


class Check:
    """One look at one instance that is awake.

    connections: how many clients there are. silent: seconds since the last byte to or from one, or since a look found
    none any more; infinity when the proxy has found so itself, and left. proxy: its process id, or 0.
    """

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.settings = instance.settings()
        self.has_proxy = not self.settings.is_native
        self.proxy = systemctl.main_pid(instance.proxy_unit) if self.has_proxy else 0
        self._switches = _switches(self.proxy) if self.proxy else (0, 0)
        self._let_go_of_the_vanished()
        self._began = time.monotonic()
        self._known = clients.each(self.settings)  # before they are counted: who comes in between is a newcomer
        self.connections = clients.connected(self.settings)
        self._go_on()
        self.silent = _FOREVER if self.has_proxy and not self.proxy else self._silence()

    def run(self) -> None:
        """Put it to sleep if it may."""
        if self.may_sleep():
            self.put_to_sleep()

    def may_sleep(self) -> bool:
        """What the instance's check says."""
        if self.settings.check in (BUILTIN, NONE):
            silent_enough = self.silent >= self.settings.idle
            if not self.has_proxy or self.settings.check == NONE:
                return self.connections == 0 and silent_enough
            return silent_enough and not self._is_working()
        return self._ask_program()

    def put_to_sleep(self) -> None:
        if not self.has_proxy:
            self._stop_program()
        elif not self.proxy or self._end_proxy():
            if self.connections:
                journal.say(f"{self.connections} silent for {self.silent:.0f} s let go")
            if self.settings.has_check:
                self._end_timer()

    def _end_timer(self) -> None:
        """Let the backend go, unless the next client has it already: it needs the timer as much as the last one did.

        Who takes it while the timer ends, or holds it awake by a unit of his own, gets another.
        """
        proxy, backend = self.instance.proxy_unit, self.instance.backend_unit
        has_ended = _within_a_moment(lambda: not self.proxy or systemctl.main_pid(proxy) != self.proxy)
        if has_ended and not _is_wanted(proxy):
            systemctl.stop(f"{self.instance.check_unit}.timer")
            if not _within_a_moment(lambda: not _is_wanted(backend)):
                checking.start(self.instance, self.settings, wait=True)

    def _go_on(self) -> None:
        """Whatever a look that was killed has made stand still."""
        if self.has_proxy and self.proxy and _is_stopped(self.proxy):
            os.kill(self.proxy, signal.SIGCONT)
        elif not self.has_proxy and _is_stopped(systemctl.main_pid(self.instance.backend_unit)):
            systemctl.signal(self.instance.backend_unit, "CONT", everybody=True)

    def _let_go_of_the_vanished(self) -> None:
        """End what is left of connections whose other end has gone without a goodbye; only root can."""
        if scope.is_user() or not clients.is_owed(self.settings):
            return
        for connection in tcp.each(self.settings.port):
            if connection.has_vanished:
                tcp.kill(self.settings.port, connection.remote)
                journal.say(f"{connection.remote} has vanished")

    def _silence(self) -> float:
        """Seconds since a client said or heard something. Where nobody notes who comes, a proxy only ever runs to carry
        bytes; of a program that has the connections itself the kernel knows."""
        if (noted := self._last_visit()) is not None:
            return min(noted, _last_byte(self.settings))
        if self.has_proxy:
            state = f"{self.proxy} {self._switches[0]},{self._switches[1]}"
        elif self.connections:
            state = f"{time.monotonic()}"
        else:
            state = "nobody"
        path, now = self.instance.activity, time.monotonic()
        before, _, at = files.text_of(path).rpartition(" ")
        if before == state:
            silent = now - float(at)
            return silent if self.has_proxy or self.settings.has_unix_socket else min(silent, _last_byte(self.settings))
        runtime.replace(path, f"{state} {now}")
        return 0.0 if self.has_proxy or not self.connections else _last_byte(self.settings)

    def _last_visit(self) -> float | None:
        """Seconds since the last client left who had said anything; None when nobody takes note of it (lookout)."""
        try:
            return time.monotonic() - float(files.text_of(self.instance.last_visit))
        except ValueError:
            return None

    def _is_working(self) -> bool:
        """Whether the server does something of its own accord."""
        if not self.settings.has_cluster:
            return False
        from sockwake import postgres_activity

        try:
            pid = Container(self.instance.container, Engine.of(self.settings)).pid()
        except EngineError:
            return False  # there is nothing to keep awake
        return postgres_activity.is_busy(pid)

    def _ask_program(self) -> bool:
        trust.require_program(self.settings.check, "check")
        listen = self.settings.listen[0]
        environment = {
            "SOCKWAKE_NAME": self.instance.name,
            "SOCKWAKE_ADDRESS": listen if listen.startswith("/") else f"{listen}:{self.settings.port}",
            "SOCKWAKE_CONNECTIONS": str(self.connections),
            "SOCKWAKE_SILENT": f"{min(self.silent, 1e9):.0f}",
        }
        try:
            programs.run([self.settings.check], env=environment)
        except SockwakeError:
            return False
        return True

    def _end_proxy(self) -> bool:
        """End the proxy, unless a client has come or said something since the look."""
        builtin = self.settings.check == BUILTIN
        try:
            proxy = os.pidfd_open(self.proxy)
        except ProcessLookupError:
            return True
        try:
            _send(proxy, signal.SIGSTOP)
            _await_standstill(self.proxy)
            if self._has_carried() or clients.pending(self.settings) or self._has_newcomers():
                return False
            if builtin and self._is_working():
                return False
            _send(proxy, signal.SIGHUP)  # which it does not catch: it accepts nobody any more
            return True
        finally:
            _send(proxy, signal.SIGCONT)
            os.close(proxy)

    def _has_newcomers(self) -> bool:
        """Whether anybody has come since the look: a check may take its time, and it did not know of them."""
        return bool(clients.each(self.settings) - self._known)

    def _has_carried(self) -> bool:
        """Whether the proxy has carried anything since the look. Where it is noted who said something, a health check that
        came and went has not."""
        if self._last_visit() is not None:
            return self._was_spoken_to()
        return sum(_switches(self.proxy)) - sum(self._switches) > _BY_STANDING_STILL

    def _was_spoken_to(self) -> bool:
        """Whether a byte has come or gone since the look, from who is still there; a unix socket does not tell."""
        return not self.settings.has_unix_socket and _last_byte(self.settings) < time.monotonic() - self._began

    def _stop_program(self) -> None:
        """Stop a program that takes its clients itself, unless one has just come or said something.

        It goes on in order to end, and it does so with the signal that ends it: a stop job lets its main process go on
        as soon as it has sent that, and what the main process waits for goes on then.
        """
        unit = self.instance.backend_unit
        try:
            systemctl.signal(unit, "STOP", everybody=True)
            if not (self._has_newcomers() or self._was_spoken_to()):
                _signal_first_thread(unit)
                systemctl.stop_later(unit)
                _within_a_moment(lambda: not _is_wanted(unit))
        finally:
            systemctl.signal(unit, "CONT", everybody=True)


def main(arguments: list[str]) -> int:
    """check NAME. A look that fails, or takes too long, leaves the instance awake."""
    for number in manager.ENDING:
        signal.signal(number, signal.default_int_handler)  # nobody is left standing still
    try:
        check = Check(Instance(Name(arguments[0])))
        allow.note_dropped(check.instance, check.settings)
        check.run()
    except (SockwakeError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 1
    return 0


def _last_byte(settings: Settings) -> float:
    """Seconds since the last byte on any connection to the port; 0 with a unix socket, of which nobody knows."""
    if settings.has_unix_socket:
        return 0.0
    return min((connection.since_byte for connection in tcp.each(settings.port)), default=_FOREVER)


def _is_wanted(unit: str) -> bool:
    return systemctl.states(unit).get(unit, ("inactive", ""))[0] in ("active", "activating")


def _within_a_moment(done: Callable[[], bool]) -> bool:
    """Whether it is done before one has to act."""
    deadline = time.monotonic() + _STOPS_WITHIN
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def _send(pidfd: int, number: int) -> None:
    try:
        signal.pidfd_send_signal(pidfd, number)
    except ProcessLookupError:
        pass


def _signal_first_thread(unit: str) -> None:
    """Send the signal of its stop to the first thread of a unit's main process, when that has several and stands still.

    It is there that many wait for it (pause(2)). The kernel gives a process's signal to its first thread, but when none of
    them runs to whichever is the quickest to go on; the signal would then end no wait.
    """
    pid = systemctl.main_pid(unit)
    if _threads(pid) > 1:
        import ctypes

        ctypes.CDLL(None).tgkill(pid, pid, systemctl.kill_signal(unit))


def _threads(pid: int) -> int:
    try:
        return len(os.listdir(f"/proc/{pid}/task"))
    except OSError:
        return 0


def _await_standstill(pid: int) -> None:
    _within_a_moment(lambda: not os.path.exists(f"/proc/{pid}") or _is_stopped(pid))


def _is_stopped(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(") ")[2][:1] in ("T", "t", "Z")
    except OSError:
        return False


def _switches(pid: int) -> tuple[int, int]:
    """How often a process has given the processor away, of its own will and not. One that sleeps does so once more when
    it is made to stand still (measured on Linux 6.18)."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
            found = [int(line.split()[1]) for line in file if line.startswith(("voluntary", "nonvoluntary"))]
    except OSError:
        found = []
    return (found[0], found[1]) if len(found) == 2 else (0, 0)
