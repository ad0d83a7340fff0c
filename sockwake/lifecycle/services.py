"""The services of a project in one wake: started in the order of depends_on, stopped in reverse.

Side by side where that allows, each in a thread.
compose's conditions are kept: started, healthy, completed_successfully.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable, Iterable

from sockwake.engine.api import SIGN_OF_LIFE, Engine, EngineError
from sockwake.engine.project_containers import COMPLETED, HEALTHY, Member
from sockwake.errors import SockwakeError, failure
from sockwake.lifecycle.monitor import readable
from sockwake.lifecycle.restarts import Restarts
from sockwake.lifecycle.service_run import (
    ENDED,
    RESTARTING,
    RUNNING,
    STARTING,
    WAITING,
    WELL,
    ServiceRun,
    named,
)

_FIRST_LOOK, _LAST_LOOK = 0.02, 1.0  # seconds between two healthchecks, doubled each time
_POLL = 20  # ms
_OWN_WORDS = 1.0  # seconds in which what is waited for may say itself why it is not up
_LAST_WORDS = 5  # seconds for the end of a process whose output has ended
_PATIENCE = 60.0  # seconds the engine may take to start a container again


class Services:
    """All services of one project.

    write: takes a service's name and what it wrote. serving: the services that clients are for.
    served: those that clients have been led to; their end is the project's, as clients are led to
        where they were. on_end: is told at once of each that ends unasked, before the engine is
        asked how.
    """

    def __init__(
        self,
        engine: Engine,
        members: Iterable[Member],
        write: Callable[[str, bytes], object],
        serving: set[str],
    ) -> None:
        self.engine = engine
        self.runs = {each.service: ServiceRun(each, engine) for each in members}
        self.serving = serving
        self.served: set[str] = set()
        self.on_end: Callable[[ServiceRun], object] = lambda _: None
        self._write = write
        self._restarts = Restarts()
        self._changed = threading.Condition()
        self._error: SockwakeError | None = None
        self._is_stopping = False
        # a byte says that there is another process to wait for
        self._news, self._news_writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def start(self, deadline: float) -> None:
        """Return once every service is up as compose would have it; raises SockwakeError.

        deadline: by time.monotonic(). What has been started runs on when it fails: stop() is for
        the caller.
        """
        self._relay_beside(self._bring_up, deadline)
        self.require_serving()

    def relay(self, timeout: float) -> None:
        """Pass on what services wrote within timeout ms, and note those that have ended.

        Raises SockwakeError when their engine has ended under them.
        """
        poll = select.poll()
        owners = {fd: run for run in self.runs.values() for fd in run.fds}
        for fd in (*owners, self._news):
            poll.register(fd, select.POLLIN)
        for fd, _ in poll.poll(timeout):
            if fd == self._news:
                os.read(fd, select.PIPE_BUF)
                continue
            run = owners[fd]
            if fd == run.process:
                self._note_end(run)
            elif fd == run.container.fd and not run.relay(self._writer(run)):
                self._lose_log(run)

    @property
    def fds(self) -> list[int]:
        """What can be read when a service wrote something, or has ended."""
        return [self._news, *(fd for run in self.runs.values() for fd in run.fds)]

    def require_serving(self) -> None:
        """Raise SockwakeError when a service has ended that clients are for."""
        for run in self.runs.values():
            if run.name in self.serving and run.state == ENDED:
                raise run.end or SockwakeError(f"service '{run.name}' has ended")

    def stop(self) -> None:
        """Stop all in reverse order, each in its own grace period; raises the first error."""
        self._error = None
        with self._changed:
            self._is_stopping = True
            self._changed.notify_all()
        self._relay_beside(self._take_down)

    def _relay_beside(self, step: Callable[..., None], *arguments: float) -> None:
        """Take a step with every service, each in a thread, and relay meanwhile."""
        threads = [
            threading.Thread(target=self._guarded, args=(step, run, *arguments), daemon=True)
            for run in self.runs.values()
        ]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            self.relay(_POLL)
        if self._error:
            raise self._error

    def _guarded(self, step: Callable[..., None], run: ServiceRun, *arguments: float) -> None:
        try:
            step(run, *arguments)
        except Exception as error:
            with self._changed:
                self._error = self._error or named(run, failure(error))
                self._changed.notify_all()

    def _bring_up(self, run: ServiceRun, deadline: float) -> None:
        for name, condition in run.member.depends_on.items():
            if name in self.runs:  # else a profile that is not enabled has it
                self._await(self.runs[name], condition, deadline)
        self._start(run, max(deadline - time.monotonic(), 1))
        if run.name in self.serving or HEALTHY in self._wanted_of(run):
            self._await_health(run, deadline)
        self._set(run, WELL)

    def _start(self, run: ServiceRun, timeout: float) -> None:
        run.state = STARTING
        try:
            run.start(timeout)
        except BaseException:
            self._set(run, WAITING)
            raise
        self._set(run, RUNNING)
        if run.has_ended:  # a moment before it could be watched
            self._note_end(run)

    def _wanted_of(self, run: ServiceRun) -> set[str]:
        """The conditions that other services wait for."""
        every = (each.member.depends_on.get(run.name, "") for each in self.runs.values())
        return {condition for condition in every if condition}

    def _await(self, other: ServiceRun, condition: str, deadline: float) -> None:
        def is_met() -> bool:
            if condition == COMPLETED:
                return other.state == ENDED
            if condition == HEALTHY:
                return other.state in (WELL, ENDED)
            return other.state not in (WAITING, STARTING)

        with self._changed:
            met = self._changed.wait_for(
                lambda: self._error or is_met(), max(deadline - time.monotonic(), 0) + _OWN_WORDS
            )
        if self._error:
            raise self._error
        depended = f"service '{other.name}', which it depends on,"
        if not met:
            what = {HEALTHY: "is not healthy", COMPLETED: "has not ended"}.get(condition, "waits")
            raise SockwakeError(f"{depended} {what} in time", said=_words_of(other))
        if other.state == ENDED and (
            condition == HEALTHY or (condition == COMPLETED and other.exit_code)
        ):
            how = f"ended with status {other.exit_code}" if other.exit_code >= 0 else "is gone"
            raise SockwakeError(f"{depended} {how}", said=_words_of(other))

    def _await_health(self, run: ServiceRun, deadline: float) -> None:
        """Return when its healthcheck passes, or it has ended for good."""
        wait, said = _FIRST_LOOK, ""
        while run.health.test and not self._error and run.state != ENDED:
            if run.state == RUNNING:
                passes, said = self._ask_health(run, deadline - time.monotonic())
                if passes:
                    return
            if time.monotonic() + wait > deadline:
                raise SockwakeError("its healthcheck did not pass in time", said=said)
            time.sleep(wait)
            wait = min(2 * wait, _LAST_LOOK)

    def _ask_health(self, run: ServiceRun, timeout: float) -> tuple[bool, str]:
        """(whether its healthcheck passes, what that said).

        One that takes too long, or whose container ends meanwhile, does not pass.
        """
        try:
            return run.health.ask(self.engine, run.member.id, max(timeout, 0.1))
        except EngineError as error:
            self.engine.call("GET", "/_ping", SIGN_OF_LIFE)
            return False, error.message

    def _take_down(self, run: ServiceRun) -> None:
        dependents = [each for each in self.runs.values() if run.name in each.member.depends_on]
        with self._changed:
            self._changed.wait_for(
                lambda: (
                    run.state != STARTING
                    and all(each.state in (ENDED, WAITING, RESTARTING) for each in dependents)
                )
            )
        try:
            if run.state in (RUNNING, WELL):
                run.stop()
        finally:
            self._note_end(run)

    def _note_end(self, run: ServiceRun) -> None:
        """Note once that a service has ended, and restart it if its file says so."""
        with self._changed:
            if run.is_settling or run.state not in (RUNNING, WELL):
                return
            run.is_settling = True
        if not self._is_stopping:
            self.on_end(run)
        run.settle(self._writer(run))
        is_over = self._is_stopping or run.name in self.served
        pause = None if is_over else self._restarts.pause(run)
        if run.end and (run.exit_code or pause is not None):
            then = "" if pause is None else f": it is restarted in {pause:g} s"
            self._write(run.name, f"sockwake: {run.end.message}{then}\n".encode())
        with self._changed:
            run.is_settling = False
            run.state = ENDED if pause is None else RESTARTING
            self._changed.notify_all()
        if pause is not None:
            threading.Thread(target=self._restart, args=(run, pause), daemon=True).start()

    def _restart(self, run: ServiceRun, pause: float) -> None:
        with self._changed:
            if self._changed.wait_for(lambda: self._is_stopping, pause):
                return
            run.state = STARTING
        try:
            self._start(run, _PATIENCE)
        except SockwakeError as error:
            run.end = named(run, error)
            self._set(run, ENDED)
        os.write(self._news_writer, b".")

    def _lose_log(self, run: ServiceRun) -> None:
        """Its output has ended: so has the service, or its engine, or the output alone."""
        if run.has_ended or readable(run.process, timeout=_LAST_WORDS):
            self._note_end(run)
            return
        try:
            self.engine.call("GET", "/_ping", SIGN_OF_LIFE)
        except EngineError:
            if not self._is_stopping:
                raise SockwakeError("the container engine has ended under it") from None

    def _writer(self, run: ServiceRun) -> Callable[[bytes], object]:
        return lambda text: self._write(run.name, text)

    def _set(self, run: ServiceRun, state: str) -> None:
        """Go on to a state; one that has ended meanwhile stays so until it is started again."""
        with self._changed:
            if state != WELL or run.state == RUNNING:
                run.state = state
            self._changed.notify_all()


def _words_of(run: ServiceRun) -> str:
    """The last line that a service wrote."""
    return run.container.last_line.decode(errors="replace").strip()
