"""SIGSTOP costs a process one context switch, and work more; an aborted check continues all."""

import os
import select
import signal

import pytest

from child import await_rest
from env_file import env
from sockwake.config.settings import load
from sockwake.lifecycle import idleness
from sockwake.lifecycle.idleness import _BY_STANDING_STILL
from sockwake.service.check import Check
from sockwake.system import pids, systemctl
from sockwake.system.sigstop import await_standstill
from tree import Tree


def switches_of(pid: int) -> int:
    return sum(pids.switches(pid))


def test_a_stopped_process_has_hardly_run_and_one_that_worked_has() -> None:
    ours, its = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        while True:
            select.select([ours[0]], [], [])
            os.write(its[1], os.read(ours[0], 1))
    pidfd = os.pidfd_open(pid)
    try:
        for work in (0, 1):
            await_rest(pid)
            before = switches_of(pid)
            for _ in range(work):
                os.write(ours[1], b"x")
                os.read(its[0], 1)
                await_rest(pid)
            os.kill(pid, signal.SIGSTOP)
            await_standstill(pid, pidfd)
            assert (switches_of(pid) - before > _BY_STANDING_STILL) == bool(work)
            os.kill(pid, signal.SIGCONT)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        for end in (*ours, *its, pidfd):
            os.close(end)


@pytest.mark.parametrize("end", [KeyboardInterrupt, OSError])
def test_a_program_is_continued_when_the_check_ends_in_between(
    tree: Tree, monkeypatch: pytest.MonkeyPatch, end: type[BaseException]
) -> None:
    def is_ended(*_: object) -> bool:
        raise end

    sent: list[str] = []
    monkeypatch.setattr(systemctl, "signal", lambda unit, name, *, all_processes: sent.append(name))
    monkeypatch.setattr(idleness, "has_newcomers", is_ended)
    instance = tree.write_env("pg1", env())
    settings = load(instance)
    seen = idleness.look(instance, settings, 0)
    with pytest.raises(end):
        Check(instance, settings)._stop_accepting(seen)
    assert sent == ["STOP", "CONT"]
