"""Notify the service manager (sd_notify(3)), and hold back the signals that end a process."""

from __future__ import annotations

import _signal  # type: ignore  # the typeshed has no stub for it
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

# systemd.kill(5), and what a terminal sends. Most of them count as success (systemd.service(5),
# SuccessExitStatus=), so that no cleanup would follow
ENDING = frozenset((_signal.SIGTERM, _signal.SIGHUP, _signal.SIGINT, _signal.SIGQUIT))


def put_off_ending() -> None:
    """Block the signals of ENDING: they stay pending until they are unblocked."""
    _signal.pthread_sigmask(_signal.SIG_BLOCK, ENDING)


def is_asked_to_end() -> bool:
    """Whether one of them has come that is put off."""
    return bool(ENDING & _signal.sigpending())


def let_end() -> None:
    """Unblock them: one that has come meanwhile ends this process."""
    _signal.pthread_sigmask(_signal.SIG_UNBLOCK, ENDING)


def catch_ending(handler: Callable[[int, FrameType | None], object]) -> int:
    """Unblock them, each calling handler; returns a pipe that can be read as soon as one has come.

    So none interrupts anything half-way. For the main thread, once.
    """
    fd, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    _signal.set_wakeup_fd(writer)
    for number in ENDING:
        _signal.signal(number, handler)
    _signal.pthread_sigmask(_signal.SIG_UNBLOCK, ENDING)
    return fd


def notify(state: str) -> None:
    """Send READY=1, STATUS= or STOPPING=1; does nothing when no manager listens."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path:
        return
    import _socket  # late: the watcher needs it only at its end

    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC)
    sock.sendto(state.encode(), "\0" + path[1:] if path.startswith("@") else path)
    sock.close()
