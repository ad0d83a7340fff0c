"""One service of a project in one wake: its container, process 1 of that, and how it has ended."""

from __future__ import annotations

import _signal  # type: ignore  # the typeshed has no stub for it
import json
import threading
import time
from collections.abc import Callable
from typing import Any

from sockwake.engine import healthcheck, project_containers
from sockwake.engine.api import SIGN_OF_LIFE, Engine, EngineError
from sockwake.engine.container import Container
from sockwake.engine.project_containers import Member
from sockwake.errors import SockwakeError
from sockwake.lifecycle.monitor import readable
from sockwake.system import pids

WAITING, STARTING, RUNNING, WELL = "waiting", "starting", "running", "well"
RESTARTING, ENDED = "restarting", "ended"
_GONE = 404
_GRACE = 10  # seconds, the engines' own, where none is told
_LAST_WORDS = 1  # seconds the engine may take to pass on what a container that has ended wrote
_KILLED = 137  # the exit status after SIGKILL


class ServiceRun:
    """One service in this wake.

    state: WAITING, STARTING, RUNNING, WELL (its healthcheck passes), RESTARTING (between two runs),
    ENDED.
    addresses: where its ports may be reached. process: a descriptor of process 1 (pidfd_open(2)):
    the kernel reports its end long before the engine does. killed_after: the seconds after which it
    was killed, because it had not ended at its stop signal; 0 when it had.
    """

    def __init__(self, member: Member, engine: Engine) -> None:
        self.name = member.service
        self.member = member
        self.container = Container(member.id, engine)
        self.state = WAITING
        self.exit_code = 0
        self.addresses: list[str] = []
        self.health = healthcheck.Healthcheck({})
        self.process = pids.NONE
        self.killed_after = 0.0
        self.is_settling = False  # one thread is learning how it has ended
        self.end: SockwakeError | None = None  # how it has ended last, if it has
        self._stop_signal = int(_signal.SIGTERM)
        self._grace = float(_GRACE)
        self._stop_began = 0.0
        self._is_running = member.is_running  # by hand: its log would be missed
        self._reading = threading.Lock()

    @property
    def address(self) -> str:
        """Where its ports are to be reached, "" when it has no network."""
        return self.addresses[0] if self.addresses else ""

    @property
    def fds(self) -> list[int]:
        """What can be read when it wrote something, or has ended.

        Its output only once it has started: the thread that starts it closes it when that fails.
        """
        output = -1 if self.state == STARTING else self.container.fd
        return [fd for fd in (output, self.process) if fd >= 0]

    @property
    def has_ended(self) -> bool:
        """Whether process 1 has, by the kernel."""
        return self.process == pids.NONE or pids.has_ended(self.process)

    def start(self, timeout: float) -> None:
        """Start its container, from the beginning of its log; raises EngineError."""
        self.container.start(timeout, is_running=self._is_running)
        self._is_running = False
        details = project_containers.inspect(self.container.engine, self.member.id)
        self.addresses = addresses_of(details)
        self.health = healthcheck.Healthcheck(details)
        config, state = details.get("Config") or {}, details.get("State") or {}
        self._stop_signal = number_of(str(config.get("StopSignal") or ""))
        grace = config.get("StopTimeout")
        self._grace = float(_GRACE if grace is None else grace)
        pid = int(state.get("Pid") or 0)
        try:
            self.process = pids.open_checked(pid, lambda: self.member.id in pids.cgroup(pid))
        except OSError:
            self.process = pids.NONE

    def relay(self, write: Callable[[bytes], object]) -> bool:
        """Pass on what it wrote; False when its output has ended."""
        with self._reading:
            return self.container.relay(write)

    def stop(self) -> None:
        """Have the engine stop it, in its own grace period; without an engine it is signalled.

        Raises EngineError when there was no engine to ask.
        """
        self._stop_began = time.monotonic()
        try:
            self.container.engine.finish(self.container.begin_stop())
        except EngineError as error:
            if error.code == _GONE:
                return
            self._end_process()
            raise

    def settle(self, write: Callable[[bytes], object]) -> None:
        """Pass on its last words, and learn how it has ended."""
        while self.container.fd >= 0 and readable(self.container.fd, timeout=_LAST_WORDS):
            self.relay(write)
        with self._reading:
            self.container.close()
        process, self.process = self.process, pids.NONE
        pids.close(process)
        self.exit_code, was_out_of_memory = self._exit()
        if self._stop_began:
            took = time.monotonic() - self._stop_began
            was_killed = self.exit_code == _KILLED and not was_out_of_memory
            self.killed_after = took if was_killed and took >= self._grace - 1 else 0.0
        else:
            self.end = named(self, self.container.how_it_ended())

    def _exit(self) -> tuple[int, bool]:
        """(exit status, whether memory ran out); the first is -1 when the container is gone."""
        try:
            target = f"/containers/{self.member.id}/wait"
            code = json.loads(self.container.engine.call("POST", target, SIGN_OF_LIFE))[
                "StatusCode"
            ]
            state = project_containers.inspect(self.container.engine, self.member.id)["State"]
            return int(code), bool(state.get("OOMKilled"))
        except (EngineError, KeyError, TypeError, ValueError, AttributeError):
            return -1, False

    def _end_process(self) -> None:
        """Stop process 1 itself: its engine has left it running."""
        if self.process == pids.NONE:
            return
        pids.send(self.process, self._stop_signal)
        if not readable(self.process, timeout=self._grace):
            pids.send(self.process, int(_signal.SIGKILL))
            readable(self.process, timeout=_GRACE)


def addresses_of(details: dict[str, Any]) -> list[str]:
    """Where a container's ports may be reached from the host, the likeliest first."""
    if (details.get("HostConfig") or {}).get("NetworkMode") == "host":
        return ["127.0.0.1"]
    networks = ((details.get("NetworkSettings") or {}).get("Networks") or {}).values()
    found = [each.get(key) for key in ("IPAddress", "GlobalIPv6Address") for each in networks]
    return [str(address) for address in found if address]


def named(run: ServiceRun, error: SockwakeError) -> SockwakeError:
    """The error with the name of its service; an engine's keeps its code."""
    message = f"service '{run.name}': {error.message}"
    if isinstance(error, EngineError):
        return EngineError(message, error.hint, error.code, error.said)
    return SockwakeError(message, error.hint, error.status, error.said)


def number_of(signal: str) -> int:
    """The number of a stop signal as an image names it: SIGINT, INT or 2."""
    if signal.isdigit():
        return int(signal)
    name = signal if signal.startswith("SIG") else f"SIG{signal}"
    return int(getattr(_signal, name, _signal.SIGTERM))
