"""What a check takes for a proxy that has not run: that standing still costs a sleeping process one switch, and work more."""

import os
import select
import signal
import time

from sockwake.check import _BY_STANDING_STILL, _await_standstill, _switches


def switches_of(pid: int) -> int:
    return sum(_switches(pid))


def test_a_process_that_sleeps_and_is_made_to_stand_still_has_hardly_run_and_one_that_worked_has() -> None:
    ours, its = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        while True:
            select.select([ours[0]], [], [])
            os.write(its[1], os.read(ours[0], 1))
    try:
        for work in (0, 1):
            time.sleep(0.1)  # it is asleep
            before = switches_of(pid)
            for _ in range(work):
                os.write(ours[1], b"x")
                os.read(its[0], 1)
                time.sleep(0.1)
            os.kill(pid, signal.SIGSTOP)
            _await_standstill(pid)
            assert (switches_of(pid) - before > _BY_STANDING_STILL) == bool(work)
            os.kill(pid, signal.SIGCONT)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        for end in (*ours, *its):
            os.close(end)
