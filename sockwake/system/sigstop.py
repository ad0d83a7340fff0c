"""Processes that are stopped (SIGSTOP) and continued."""

from __future__ import annotations

import time

from sockwake.system import pids, systemctl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_STOPS_WITHIN = 1.0  # seconds a process may take to stop


def within_a_moment(done: Callable[[], bool]) -> bool:
    """Wait until done() is true, at most a second; False when it never was."""
    deadline = time.monotonic() + _STOPS_WITHIN
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def signal_first_thread(unit: str) -> None:
    """Send a unit's stop signal to the first thread of its main process, if that has several.

    Many programs wait for it there (pause(2)). The kernel prefers the first thread, but when all
    threads are stopped it takes the one that continues first, and the wait would not end.
    """
    pid = systemctl.main_pid(unit)
    if pids.threads(pid) > 1:
        number = systemctl.kill_signal(unit)
        pids.send_to_first_thread(pid, lambda: systemctl.main_pid(unit) == pid, number)


def await_standstill(pid: int, pidfd: int) -> None:
    """Wait until a process is stopped or has ended, at most a second."""
    within_a_moment(lambda: pids.has_ended(pidfd) or pids.is_stopped(pid))
