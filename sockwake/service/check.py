"""Check once whether an instance may sleep, and let it: ExecStart of pg-check@NAME.service.

A client that comes at this moment must not lose anything. So the process that could accept its
connection is stopped first (SIGSTOP); if a client has come meanwhile, it is continued. A client
that comes later waits in the socket's queue.

lifecycle/idleness.py measures; is_idle(), or a program of the administrator's, decides.
"""

from __future__ import annotations

import signal
import sys

from sockwake.clients import allowlist, connections, listening
from sockwake.config import scope
from sockwake.config.instance import Instance, Name
from sockwake.config.settings import Settings, load
from sockwake.engine.api import Engine, EngineError
from sockwake.engine.container import Container
from sockwake.errors import SockwakeError, failure, reason
from sockwake.kinds.table import BUILTIN, NONE
from sockwake.lifecycle import check_timer, holds, idleness
from sockwake.system import (
    files,
    journal,
    memory,
    pids,
    process,
    safe_path,
    sdnotify,
    sigstop,
    ss,
    systemctl,
)

_LONGEST_SILENCE = 1e9  # seconds, in place of infinity for a check program


def main(arguments: list[str]) -> int:
    """check NAME. A check that fails, or takes too long, leaves the instance awake."""
    for number in sdnotify.ENDING:  # so that _end_proxy() lets the proxy go on
        signal.signal(number, signal.default_int_handler)
    try:
        run(Instance(Name(arguments[0])))
    except (SockwakeError, OSError) as error:
        print(failure(error), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 1
    return 0


def run(instance: Instance) -> None:
    """Check the instance once."""
    settings = load(instance)
    proxy, proxy_fd = (0, pids.NONE) if settings.counts_clients else find_proxy(instance)
    check = Check(instance, settings, proxy, proxy_fd)
    check.release_stopped()  # first: clients wait for what is stopped
    if settings.is_container and systemctl.is_down(instance.backend_unit):
        from sockwake.lifecycle import unwatched

        unwatched.stop(instance, settings)
        return
    pid = proxy or systemctl.main_pid(listening.accepting_unit(instance, settings))
    if not pid and idleness.is_led_elsewhere(instance, settings):
        systemctl.stop_later(instance.backend_unit)  # its client wakes it anew
        return
    settings = check.settings = listening.as_open(settings, pid)
    check.kill_vanished()  # before the look, which would count them as clients
    seen = idleness.look(instance, settings, proxy)
    allowlist.note_dropped(instance, settings)  # whatever is decided then
    if not holds.is_held(instance) and check.may_sleep(seen):
        check.put_to_sleep(seen)


def find_proxy(instance: Instance) -> tuple[int, int]:
    """The proxy's process id and a descriptor of it; 0 and pids.NONE when it has none."""
    unit = instance.proxy_unit
    pid = systemctl.main_pid(unit)
    pidfd = pids.open_checked(pid, lambda: pids.is_in_unit(pid, unit))
    return (0 if pidfd == pids.NONE else pid), pidfd


def note_memory(instance: Instance) -> None:
    """Leave what a program has before it is stopped; bin/note-memory does so for all others."""
    stat = memory.stat_of(systemctl.main_pid(instance.backend_unit))
    files.replace_volatile(instance.memory_file, stat)


def is_idle(settings: Settings, seen: idleness.Observation) -> bool:
    """Whether an instance without a check program has been silent for IDLE.

    With CHECK=none every client must have left, too; also those of a native program and of a
    project, whose end would close their connections. Whether a PostgreSQL works for a silent client
    is asked apart.
    """
    is_silent = seen.silent >= settings.idle
    if settings.check == NONE or settings.counts_clients:
        return is_silent and seen.connections == 0
    return is_silent


class Check:
    """What a check does to one instance.

    proxy, proxy_fd: from find_proxy(); without one the proxy has left, or there is none or several.
    """

    def __init__(
        self, instance: Instance, settings: Settings, proxy: int = 0, proxy_fd: int = pids.NONE
    ) -> None:
        self.instance = instance
        self.settings = settings
        self.proxy = proxy
        self._proxy_fd = proxy_fd
        self._accepting = listening.accepting_unit(instance, settings)

    def release_stopped(self) -> None:
        """Continue what a check, or a command, that was killed has stopped."""
        if not self._is_stopped():
            return  # and nothing waits for a command that has the instance sleep on
        with holds.NoneTaken(self.instance):  # a command that has stopped it, and goes on, has that
            if self.settings.counts_clients and self._is_stopped():
                systemctl.signal(self._accepting, "CONT", all_processes=True)
            elif self._is_stopped():
                pids.send(self._proxy_fd, signal.SIGCONT)

    def _is_stopped(self) -> bool:
        if self.settings.counts_clients:
            return pids.is_stopped(systemctl.main_pid(self._accepting))
        return bool(self.proxy) and pids.is_stopped(self.proxy)

    def kill_vanished(self) -> None:
        """End connections whose other end has gone without a FIN; only root can."""
        places = self.settings.places
        if scope.is_user() or not connections.is_owed(self.settings):
            return
        gone = [each.remote for each in ss.each(places) if each.has_vanished]
        for remote in gone:
            ss.kill(places, remote)
        if gone:
            more = f", and {len(gone) - 1} more with it" if gone[1:] else ""
            journal.say(f"{gone[0]} has vanished{more}")

    def may_sleep(self, seen: idleness.Observation) -> bool:
        """What the instance's check says.

        A project waits for the clients in the queue of a port that is not served yet, also for
        those that have left: its end would have them wake it again. Each has its time.
        """
        if self.settings.is_project and connections.queue(self.settings):
            return False
        if self.settings.check not in (BUILTIN, NONE):
            return self._ask_program(seen)
        return is_idle(self.settings, seen) and not self._is_working()

    def put_to_sleep(self, seen: idleness.Observation) -> None:
        """End proxy and backend, or the program, unless a client comes at this moment.

        No command does so meanwhile: what the one continues, the other would end under a client.
        One that has stopped it while this waited may lead its clients elsewhere by now.
        """
        with holds.NoneTaken(self.instance):
            if systemctl.is_down(self.instance.backend_unit):
                return
            if self.settings.counts_clients:
                self._stop_accepting(seen)
            elif not self.proxy or self._end_proxy(seen):
                if seen.connections:
                    journal.say(f"{seen.connections} silent for {seen.silent:.0f} s let go")
                if self.settings.has_check and not self._end_timer() and seen.connections:
                    from sockwake.lifecycle import wakes

                    came = connections.each(self.settings) - seen.known
                    journal.aside(wakes.note_return, self.instance, came)

    def _end_proxy(self, seen: idleness.Observation) -> bool:
        """End the proxy, unless a client has come or said something since; whether it ends."""
        if pids.has_ended(self._proxy_fd):
            return True
        try:
            pids.send(self._proxy_fd, signal.SIGSTOP)
            sigstop.await_standstill(self.proxy, self._proxy_fd)
            if self._is_disturbed(seen) or self._is_working():
                return False
            # which it does not catch: it accepts no client any more
            pids.send(self._proxy_fd, signal.SIGHUP)
            return True
        finally:
            pids.send(self._proxy_fd, signal.SIGCONT)

    def _is_disturbed(self, seen: idleness.Observation) -> bool:
        """Whether a client has come or said something since the look, so that the proxy goes on."""
        return (
            idleness.has_carried(self.instance, self.settings, seen, self.proxy)
            or connections.pending(self.settings)
            or idleness.has_newcomers(self.settings, seen)
        )

    def _end_timer(self) -> bool:
        """Stop the timer, which keeps the backend up, unless the next client needs both.

        A client that comes while the timer ends, or a unit of the administrator's, may keep the
        backend up: then another timer is started. Returns whether the backend falls asleep.
        """
        proxy, backend = self.instance.proxy_unit, self.instance.backend_unit
        has_ended = sigstop.within_a_moment(
            lambda: not self.proxy or systemctl.main_pid(proxy) != self.proxy
        )
        if has_ended and not _is_wanted(proxy):
            systemctl.stop(f"{self.instance.check_unit}.timer")
            if sigstop.within_a_moment(lambda: not _is_wanted(backend)):
                return True
            check_timer.start(self.instance, self.settings, wait=True)
        return False

    def _stop_accepting(self, seen: idleness.Observation) -> None:
        """Stop what accepts connections itself, unless a client has just come or said something.

        It is continued behind its stop signal: a stop job continues the main process at once, and
        what that waits for only later.
        """
        unit = self._accepting
        if self.settings.is_native:
            journal.aside(note_memory, self.instance)
        try:
            systemctl.signal(unit, "STOP", all_processes=True)
            has_newcomers = idleness.has_newcomers(self.settings, seen)
            if has_newcomers or idleness.was_spoken_to(self.settings, seen):
                return
            if not holds.is_held(self.instance):
                sigstop.signal_first_thread(unit)
                systemctl.stop_later(self.instance.backend_unit)  # and with it the proxies
            sigstop.within_a_moment(lambda: not _is_wanted(unit))
        finally:
            systemctl.signal(unit, "CONT", all_processes=True)

    def _is_working(self) -> bool:
        """Whether a PostgreSQL with a check of its own works for a silent client, or for itself."""
        if self.settings.check != BUILTIN or not self.settings.has_cluster:
            return False
        from sockwake.postgres import activity

        pid = self._server()
        return bool(pid) and activity.is_busy(pid)

    def _server(self) -> int:
        """The main process of a PostgreSQL; 0 when there is nothing to keep awake."""
        if self.settings.is_bundled:
            # crun's child; not the listener of its socket, which is what has lengthened the queue
            return pids.child_of(systemctl.main_pid(self.instance.backend_unit))
        if not self.settings.needs_engine:
            return systemctl.main_pid(self.instance.backend_unit)
        try:
            return Container(self.instance.container, Engine.of(self.settings)).pid()
        except EngineError:
            return 0

    def _ask_program(self, seen: idleness.Observation) -> bool:
        """What the administrator's check program says; its output goes to the journal."""
        program, stays = self.settings.check, f"{self.instance.name} stays awake"
        try:
            safe_path.require_program(program, "check")
            # no timeout: TimeoutStartSec= of the unit ends it
            process.run([program], env=self._environment(seen), show=True, timeout=None)
            return True
        except process.ProgramError as error:
            if error.returned < 0:
                journal.say(f"check {program} was killed by signal {-error.returned}: {stays}")
        except SockwakeError as error:
            journal.say(f"{error.message}: {stays}")
        except OSError as error:
            journal.say(f"cannot run {program}: {reason(error)}: {stays}")
        except KeyboardInterrupt:
            journal.say(f"check {program} was ended before it had an answer: {stays}")
            raise
        return False

    def _environment(self, seen: idleness.Observation) -> dict[str, str]:
        """What a check program is told; sockwake(8), "Checks"."""
        listen = self.settings.listen[0]
        address = listen if listen.startswith("/") else f"{listen}:{self.settings.port}"
        return {
            "SOCKWAKE_NAME": self.instance.name,
            "SOCKWAKE_ADDRESS": address,
            "SOCKWAKE_CONNECTIONS": f"{seen.connections}",
            "SOCKWAKE_SILENT": f"{min(seen.silent, _LONGEST_SILENCE):.0f}",
        }


def _is_wanted(unit: str) -> bool:
    """Whether a unit is up, or on its way there."""
    return systemctl.states(unit).get(unit, ("inactive", ""))[0] in ("active", "activating")
