"""Asks once whether an instance may sleep, and if so puts it to sleep: ExecStart of pg-check@NAME.service.

A client that comes at this moment must not lose anything. So what could take its connection is first made to stand
still; if somebody has come, it goes on as if nothing had been. What comes later waits in the socket's queue.
"""

from __future__ import annotations

import signal
import sys
import time

from sockwake.clients import allowlist, connections
from sockwake.config import scope, settings
from sockwake.config.instance import Instance, Name
from sockwake.config.settings import Settings
from sockwake.engine.api import Engine, EngineError
from sockwake.engine.container import Container
from sockwake.errors import SockwakeError
from sockwake.kinds.table import BUILTIN, NONE
from sockwake.lifecycle import check_timer
from sockwake.system import (
    files,
    journal,
    pids,
    process,
    safe_path,
    sdnotify,
    sigstop,
    ss,
    systemctl,
)

_BY_STANDING_STILL = 1  # switches of a process that sleeps
_FOREVER = float("inf")


class Check:
    """One look at one instance that is awake.

    connections: how many clients there are. silent: seconds since the last byte to or from one, or since a look found
    none any more; infinity when the proxy has found so itself, and left. proxy: its process id, or 0.
    """

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.settings = settings.load(instance)
        self.has_proxy = not self.settings.is_native
        self.proxy, self._proxy = (
            _main_process(instance.proxy_unit) if self.has_proxy else (0, pids.NONE)
        )
        self._switches = pids.switches(self.proxy) if self.proxy else (0, 0)
        self._let_go_of_the_vanished()
        self._began = time.monotonic()
        self._known = connections.each(
            self.settings
        )  # before they are counted: who comes in between is a newcomer
        self.connections = connections.connected(self.settings)
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
        has_ended = sigstop.within_a_moment(
            lambda: not self.proxy or systemctl.main_pid(proxy) != self.proxy
        )
        if has_ended and not _is_wanted(proxy):
            systemctl.stop(f"{self.instance.check_unit}.timer")
            if not sigstop.within_a_moment(lambda: not _is_wanted(backend)):
                check_timer.start(self.instance, self.settings, wait=True)

    def _go_on(self) -> None:
        """Whatever a look that was killed has made stand still."""
        if self.has_proxy and self.proxy and pids.is_stopped(self.proxy):
            pids.send(self._proxy, signal.SIGCONT)
        elif not self.has_proxy and pids.is_stopped(systemctl.main_pid(self.instance.backend_unit)):
            systemctl.signal(self.instance.backend_unit, "CONT", all_processes=True)

    def _let_go_of_the_vanished(self) -> None:
        """End what is left of connections whose other end has gone without a goodbye; only root can."""
        if scope.is_user() or not connections.is_owed(self.settings):
            return
        gone = [
            connection.remote
            for connection in ss.each(self.settings.listen, self.settings.port)
            if connection.has_vanished
        ]
        for remote in gone:
            ss.kill(self.settings.listen, self.settings.port, remote)
        if gone:
            more = f", and {len(gone) - 1} more with it" if gone[1:] else ""
            journal.say(f"{gone[0]} has vanished{more}")

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
            return (
                silent
                if self.has_proxy or self.settings.has_unix_socket
                else min(silent, _last_byte(self.settings))
            )
        files.replace_volatile(path, f"{state} {now}")
        return 0.0 if self.has_proxy or not self.connections else _last_byte(self.settings)

    def _last_visit(self) -> float | None:
        """Seconds since the last client left who had said anything; None when nobody takes note of it (monitor)."""
        try:
            return time.monotonic() - float(files.text_of(self.instance.last_visit))
        except ValueError:
            return None

    def _is_working(self) -> bool:
        """Whether the server does something of its own accord."""
        if not self.settings.has_cluster:
            return False
        from sockwake.postgres import activity

        try:
            pid = Container(self.instance.container, Engine.of(self.settings)).pid()
        except EngineError:
            return False  # there is nothing to keep awake
        return activity.is_busy(pid)

    def _ask_program(self) -> bool:
        """What the administrator's own check says. Its words go where ours go, into the journal; its unit ends it when it takes
        too long."""
        program, stays = self.settings.check, f"{self.instance.name} stays awake"
        try:
            safe_path.require_program(program, "check")
            # without a limit of its own: TimeoutStartSec= of its unit ends it
            process.run([program], env=self._what_is_known(), show=True, timeout=None)
            return True
        except process.ProgramError as error:
            if error.returned < 0:
                journal.say(f"check {program} was killed by signal {-error.returned}: {stays}")
        except SockwakeError as error:
            journal.say(f"{error.message}: {stays}")
        except OSError as error:
            journal.say(f"cannot run {program}: {(error.strerror or str(error)).lower()}: {stays}")
        except KeyboardInterrupt:
            journal.say(f"check {program} was ended before it had an answer: {stays}")
            raise
        return False

    def _what_is_known(self) -> dict[str, str]:
        listen = self.settings.listen[0]
        return {
            "SOCKWAKE_NAME": self.instance.name,
            "SOCKWAKE_ADDRESS": listen
            if listen.startswith("/")
            else f"{listen}:{self.settings.port}",
            "SOCKWAKE_CONNECTIONS": str(self.connections),
            "SOCKWAKE_SILENT": f"{min(self.silent, 1e9):.0f}",
        }

    def _end_proxy(self) -> bool:
        """End the proxy, unless a client has come or said something since the look."""
        if pids.has_ended(self._proxy):
            return True
        try:
            pids.send(self._proxy, signal.SIGSTOP)
            sigstop.await_standstill(self.proxy, self._proxy)
            if self._has_carried() or connections.pending(self.settings) or self._has_newcomers():
                return False
            if self.settings.check == BUILTIN and self._is_working():
                return False
            pids.send(
                self._proxy, signal.SIGHUP
            )  # which it does not catch: it accepts nobody any more
            return True
        finally:
            pids.send(self._proxy, signal.SIGCONT)

    def _has_newcomers(self) -> bool:
        """Whether anybody has come since the look: a check may take its time, and it did not know of them."""
        return bool(connections.each(self.settings) - self._known)

    def _has_carried(self) -> bool:
        """Whether the proxy has carried anything since the look. Where it is noted who said something, a health check that
        came and went has not."""
        if self._last_visit() is not None:
            return self._was_spoken_to()
        return sum(pids.switches(self.proxy)) - sum(self._switches) > _BY_STANDING_STILL

    def _was_spoken_to(self) -> bool:
        """Whether a byte has come or gone since the look, from who is still there; a unix socket does not tell."""
        return (
            not self.settings.has_unix_socket
            and _last_byte(self.settings) < time.monotonic() - self._began
        )

    def _stop_program(self) -> None:
        """Stop a program that takes its clients itself, unless one has just come or said something.

        It goes on in order to end, and it does so with the signal that ends it: a stop job lets its main process go on
        as soon as it has sent that, and what the main process waits for goes on then.
        """
        unit = self.instance.backend_unit
        try:
            systemctl.signal(unit, "STOP", all_processes=True)
            if not (self._has_newcomers() or self._was_spoken_to()):
                sigstop.signal_first_thread(unit)
                systemctl.stop_later(unit)
                sigstop.within_a_moment(lambda: not _is_wanted(unit))
        finally:
            systemctl.signal(unit, "CONT", all_processes=True)


def main(arguments: list[str]) -> int:
    """check NAME. A look that fails, or takes too long, leaves the instance awake."""
    for number in sdnotify.ENDING:
        signal.signal(number, signal.default_int_handler)  # nobody is left standing still
    try:
        check = Check(Instance(Name(arguments[0])))
        allowlist.note_dropped(check.instance, check.settings)
        check.run()
    except (SockwakeError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 1
    return 0


def _last_byte(settings: Settings) -> float:
    """Seconds since the last byte on any connection; 0 with a unix socket, of which nobody knows."""
    if settings.has_unix_socket:
        return 0.0
    return min(
        (connection.since_byte for connection in ss.each(settings.listen, settings.port)),
        default=_FOREVER,
    )


def _is_wanted(unit: str) -> bool:
    return systemctl.states(unit).get(unit, ("inactive", ""))[0] in ("active", "activating")


def _main_process(unit: str) -> tuple[int, int]:
    """A unit's main process, and a descriptor of it; 0 and pids.NONE when it has none, or has another one already."""
    pid = systemctl.main_pid(unit)
    pidfd = pids.open_checked(pid, lambda: systemctl.main_pid(unit) == pid)
    return (0 if pidfd == pids.NONE else pid), pidfd
