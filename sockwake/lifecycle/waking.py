"""Wake an instance though no client has come, and wait until it is ready."""

from __future__ import annotations

import fcntl
import os
import time

from sockwake.config import forwarding, scope
from sockwake.errors import SockwakeError
from sockwake.lifecycle import runtime
from sockwake.system import files, process, systemctl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockwake.config.instance import Instance

FOREVER = float("inf")
_ATTEMPTS = 3  # a port scan at this very moment may have a start end: no client is there
_TURNED_AWAY = 25.0  # seconds until such a start has ended; its waker takes 20 at most
_LOOK_EVERY = 0.01  # seconds
_FAILED = 1  # systemctl(1): the job has; others tell that there is no such unit, or no permission
_GOODBYES = 6.0  # seconds until a proxy has told its clients why; bin/refuse takes 5 at most
_LAST_WORDS = 4.0  # seconds until the reason of a waker that was killed is there; as in bin/proxy


class StillWakingError(SockwakeError):
    """The time is over, and the wake goes on."""


def wake(
    instance: Instance, unit: str, seconds: float = FOREVER, began: float | None = None
) -> None:
    """Start a unit that wants the backend, or the backend, and return when the instance is ready.

    A backend that nothing wants ends again. seconds: at most, from began (time.monotonic()).
    Raises StillWakingError, and SockwakeError with what the waker said.
    """
    forwarding.require_none(instance)
    deadline = (time.monotonic() if began is None else began) + seconds
    for _ in range(_ATTEMPTS):
        try:
            _start(unit, deadline)
            _await_lock(instance, deadline)
        except process.Overdue:
            raise StillWakingError(
                f"instance '{instance.name}' is not awake after {seconds:g} s, and goes on waking"
            ) from None
        if has_outcome(instance):
            break
        _await_end(instance, deadline)
    if not is_ready(instance):
        error = failed(instance)
        _await_goodbyes(instance)
        raise error


def failed(instance: Instance, said: str = "") -> SockwakeError:
    """The error to raise for a wake that has not succeeded; said: why, when it left no reason."""
    why = runtime.last_failure(instance) or said or "systemd did not start it"
    hint = files.text_of(instance.failure_hint).strip()
    log = scope.command("journalctl", "-u", instance.backend_unit)
    return SockwakeError(
        f"instance '{instance.name}' cannot start: {why}", f"{hint}; {log}" if hint else log
    )


def closed(instance: Instance) -> SockwakeError:
    """The error to raise when its port is closed, so that no client can wake it."""
    enable = scope.command("systemctl", "enable", "--now", instance.socket_unit)
    return SockwakeError(f"the port of instance '{instance.name}' is closed", f"{enable} opens it")


def require_open(instance: Instance) -> None:
    """Raise SockwakeError when systemd does not listen for its clients."""
    if systemctl.is_running() and systemctl.is_down(instance.socket_unit):
        raise closed(instance)


def is_ready(instance: Instance) -> bool:
    """Whether its backend is ready; raises OSError for a user who may not know."""
    return files.exists(instance.ready_file)


def _await_goodbyes(instance: Instance) -> None:
    """Wait until its proxy, if there is one, has told its clients why it has no backend.

    A client that comes before that is told, too, and not served, though the reason be mended.
    """
    deadline = time.monotonic() + _GOODBYES
    while time.monotonic() < deadline and not systemctl.is_down(instance.proxy_unit):
        time.sleep(_LOOK_EVERY)


def _start(unit: str, deadline: float) -> None:
    """Start a unit, and wait for that; raises process.Overdue.

    A failure is told by what the backend has left, unless systemd does not even know the unit.
    """
    patience = None if deadline == FOREVER else max(deadline - time.monotonic(), 0.01)
    try:
        systemctl.run("start", unit, timeout=patience)
    except process.ProgramError as error:
        if error.returned != _FAILED:
            raise


def _await_end(instance: Instance, deadline: float) -> None:
    """Wait until a start for no client has ended: another would only be told that it is there."""
    latest = min(deadline, time.monotonic() + _TURNED_AWAY)
    while time.monotonic() < latest and not (
        systemctl.is_down(instance.backend_unit) and systemctl.is_down(instance.proxy_unit)
    ):
        if is_ready(instance):
            return
        time.sleep(_LOOK_EVERY)


def _await_lock(instance: Instance, deadline: float) -> None:
    """Wait until no wake is under way; raises process.Overdue."""
    try:
        lock = os.open(instance.wake_lock, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        while not _is_free(lock):
            if time.monotonic() > deadline:
                raise process.Overdue(["wake"], 0)
            time.sleep(_LOOK_EVERY)
    finally:
        os.close(lock)


def _is_free(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def has_outcome(instance: Instance) -> bool:
    """Whether the instance is ready, or has failed: what cleans up behind a waker has its time."""
    deadline = time.monotonic() + _LAST_WORDS
    while time.monotonic() < deadline:
        if is_ready(instance) or os.path.exists(instance.failure_file):
            return True
        if os.path.exists(instance.nobody_file) or os.path.exists(instance.handover_socket):
            return False
        time.sleep(_LOOK_EVERY)
    return False
