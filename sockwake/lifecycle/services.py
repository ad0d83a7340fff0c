"""The services of a project in one wake: started in the order of depends_on, stopped in reverse.

Side by side where that allows, each in a thread.
compose's conditions are kept: started, healthy, completed_successfully.
"""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Callable, Iterable

from sockwake.engine import healthcheck, project_containers
from sockwake.engine.api import Engine, EngineError
from sockwake.engine.container import Container
from sockwake.engine.project_containers import COMPLETED, HEALTHY, Member
from sockwake.errors import SockwakeError, failure

WAITING, RUNNING, WELL, ENDED = "waiting", "running", "well", "ended"
_FIRST_LOOK, _LAST_LOOK = (
    0.02,
    1.0,
)  # seconds between two healthchecks: doubled from one to the other
_POLL = 20  # ms


class ServiceRun:
    """One service in this wake. state: WAITING, RUNNING, WELL (its healthcheck passes), ENDED."""

    def __init__(self, member: Member, engine: Engine) -> None:
        self.name = member.service
        self.member = member
        self.container = Container(member.id, engine)
        self.state = WAITING
        self.exit_code = 0
        self.address = ""  # where its ports are to be reached
        self.was_killed = False  # in its stop, because its grace period was over

    def how_it_ended(self) -> SockwakeError:
        """The error to raise for a service that has ended."""
        return _named(self, self.container.how_it_ended())


class Services:
    """All services of one project.

    write: takes a service's name and what it wrote. serving: the services that clients are for.
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
        self._write = write
        self.serving = serving
        self._changed = threading.Condition()
        self._error: SockwakeError | None = None

    def start(self, timeout: float) -> None:
        """Return once every service is up as compose would have it; raises SockwakeError.

        timeout: seconds. What has been started runs on when it fails: stop() is for the caller.
        """
        deadline = time.monotonic() + timeout
        threads = [
            threading.Thread(
                target=self._guarded, args=(self._bring_up, run, deadline), daemon=True
            )
            for run in self.runs.values()
        ]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            self.relay(_POLL)
        if self._error:
            raise self._error
        for run in self.runs.values():
            if run.state == ENDED and (run.name in self.serving or run.exit_code):
                raise run.how_it_ended()

    def relay(self, timeout: float) -> list[ServiceRun]:
        """Pass on what services wrote within timeout ms; returns those that ended meanwhile."""
        poll = select.poll()
        streams = {run.container.fd: run for run in self.runs.values() if run.container.fd >= 0}
        for fd in streams:
            poll.register(fd, select.POLLIN)
        ended = []
        for fd, _ in poll.poll(timeout):
            run = streams[fd]
            if not run.container.relay(lambda text, name=run.name: self._write(name, text)):  # type: ignore[misc]
                self._note_end(run)
                ended.append(run)
        return ended

    @property
    def fds(self) -> list[int]:
        """What can be read when a service wrote something, or has ended."""
        return [run.container.fd for run in self.runs.values() if run.container.fd >= 0]

    def restart(self, run: ServiceRun, timeout: float) -> None:
        """Start one again that has ended; raises EngineError."""
        run.container.start(timeout)
        self._set(run, RUNNING)

    def stop(self) -> None:
        """Stop all in reverse order, each in its grace period; raises the first error."""
        self._error = None
        threads = [
            threading.Thread(target=self._guarded, args=(self._take_down, run), daemon=True)
            for run in self.runs.values()
        ]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            self.relay(_POLL)
        while self.fds and self.relay(0):
            pass
        if self._error:
            raise self._error

    def _guarded(self, step: Callable[..., None], run: ServiceRun, *arguments: float) -> None:
        try:
            step(run, *arguments)
        except Exception as error:
            with self._changed:
                self._error = self._error or _named(run, failure(error))
                self._changed.notify_all()

    def _bring_up(self, run: ServiceRun, deadline: float) -> None:
        for name, condition in run.member.depends_on.items():
            if name in self.runs:  # else a profile that is not enabled has it
                self._await(run, self.runs[name], condition, deadline)
        if run.member.is_running:  # by hand: its log would be missed
            run.container.stop()
        run.container.start(max(deadline - time.monotonic(), 1))
        details = project_containers.inspect(self.engine, run.member.id)
        run.address = address_of(details)
        self._set(run, RUNNING)
        if run.name in self.serving or HEALTHY in self._wanted_of(run):
            self._await_health(run, healthcheck.test_of(details), deadline)
        self._set(run, WELL)

    def _wanted_of(self, run: ServiceRun) -> set[str]:
        """The conditions that other services wait for."""
        every = (each.member.depends_on.get(run.name, "") for each in self.runs.values())
        return {condition for condition in every if condition}

    def _await(self, run: ServiceRun, other: ServiceRun, condition: str, deadline: float) -> None:
        def is_met() -> bool:
            if condition == COMPLETED:
                return other.state == ENDED
            if condition == HEALTHY:
                return other.state in (WELL, ENDED)
            return other.state != WAITING

        with self._changed:
            met = self._changed.wait_for(
                lambda: self._error or is_met(), max(deadline - time.monotonic(), 0)
            )
        if self._error:
            raise self._error
        if not met:
            what = {HEALTHY: "is not healthy", COMPLETED: "has not ended"}.get(condition, "waits")
            raise SockwakeError(f"service '{other.name}', which it depends on, {what} in time")
        if condition == COMPLETED and other.exit_code:
            raise SockwakeError(
                f"service '{other.name}', which it depends on, ended with status {other.exit_code}"
            )
        if condition == HEALTHY and other.state == ENDED:
            raise SockwakeError(f"service '{other.name}', which it depends on, has ended")

    def _await_health(self, run: ServiceRun, test: list[str], deadline: float) -> None:
        wait = _FIRST_LOOK
        while test and not self._error and run.state != ENDED:
            if healthcheck.passes(self.engine, run.member.id, test, deadline - time.monotonic()):
                return
            if time.monotonic() + wait > deadline:
                raise SockwakeError("its healthcheck did not pass in time")
            time.sleep(wait)
            wait = min(2 * wait, _LAST_LOOK)

    def _take_down(self, run: ServiceRun) -> None:
        dependents = [each for each in self.runs.values() if run.name in each.member.depends_on]
        with self._changed:
            self._changed.wait_for(
                lambda: all(each.state in (ENDED, WAITING) for each in dependents)
            )
        try:
            if run.state in (RUNNING, WELL):
                run.container.engine.finish(run.container.begin_stop())
        finally:
            self._note_end(run)

    def _note_end(self, run: ServiceRun) -> None:
        if run.state in (WAITING, ENDED):
            return
        try:
            state = project_containers.inspect(self.engine, run.member.id)["State"]
            run.exit_code = int(state["ExitCode"])
            run.was_killed = run.exit_code == 137 and not state.get("OOMKilled")
        except (EngineError, KeyError, TypeError, ValueError):
            run.exit_code = -1  # it is gone, or its engine is
        self._set(run, ENDED)

    def _set(self, run: ServiceRun, state: str) -> None:
        with self._changed:
            if run.state != ENDED or state == RUNNING:
                run.state = state
            self._changed.notify_all()


def address_of(details: dict[str, object]) -> str:
    """Where a container's ports are to be reached from the host."""
    host = details.get("HostConfig")
    if isinstance(host, dict) and host.get("NetworkMode") == "host":
        return "127.0.0.1"
    settings = details.get("NetworkSettings")
    networks = settings.get("Networks") if isinstance(settings, dict) else None
    for each in (networks or {}).values():
        if address := each.get("IPAddress") or each.get("GlobalIPv6Address"):
            return str(address)
    return ""


def _named(run: ServiceRun, error: SockwakeError) -> SockwakeError:
    """The error with the name of its service; an engine's keeps its code."""
    message = f"service '{run.name}': {error.message}"
    if isinstance(error, EngineError):
        return EngineError(message, error.hint, error.code, error.said)
    return SockwakeError(message, error.hint, error.status, error.said)
