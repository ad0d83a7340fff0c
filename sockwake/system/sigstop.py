"""Processes that are made to stand still, and to go on."""

from __future__ import annotations

import time

from sockwake.system import pids, systemctl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_STOPS_WITHIN = 1.0  # seconds a process may take to stand still


def within_a_moment(done: Callable[[], bool]) -> bool:
    """Whether it is done before one has to act."""
    deadline = time.monotonic() + _STOPS_WITHIN
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def signal_first_thread(unit: str) -> None:
    """Send the signal of its stop to the first thread of a unit's main process, when that has several and stands still.

    It is there that many wait for it (pause(2)). The kernel gives a process's signal to its first thread, but when none of
    them runs to whichever is the quickest to go on; the signal would then end no wait.
    """
    pid = systemctl.main_pid(unit)
    if pids.threads(pid) > 1:
        number = systemctl.kill_signal(unit)
        pids.send_to_first_thread(pid, lambda: systemctl.main_pid(unit) == pid, number)


def await_standstill(pid: int, pidfd: int) -> None:
    within_a_moment(lambda: pids.has_ended(pidfd) or pids.is_stopped(pid))
