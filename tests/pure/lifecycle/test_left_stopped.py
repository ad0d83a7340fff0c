"""What a killed command, or idle check, has left stopped goes on, or ends when its server has."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from child import Child, MakeChild, is_unhurt
from env_file import env
from sockwake.lifecycle import proxy, unwatched
from sockwake.service import check
from sockwake.system import pids, systemctl
from sockwake.system.sigstop import within_a_moment
from sockwake.system.standstill import standstill
from tree import SOURCE, Tree

# a unit is a process id here, or else the process in $PROXY
_SYSTEMCTL = """#!/bin/sh
for word; do
	case $word in --signal=SIG*) name=${word#--signal=SIG} ;; esac
done
case $word in *[!0-9]*) word=$PROXY ;; esac
kill -s "$name" "$word"
"""
_COMMAND = f"""
import sys
sys.path.insert(0, {str(SOURCE)!r})
from sockwake.system.standstill import standstill
with standstill(sys.argv[1]):
    print("it stands still", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def signals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have systemctl kill send its signals to process ids."""
    (tmp_path / "systemctl").write_text(_SYSTEMCTL)
    (tmp_path / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")


def test_it_goes_on_when_the_command_is_killed(start: MakeChild) -> None:
    serving = start()
    argv = [sys.executable, "-ISB", "-c", _COMMAND, str(serving.pid)]
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, stdin=pipe, stdout=pipe) as command:
        assert command.stdout and command.stdout.readline() == b"it stands still\n"
        assert comes_to_a_stop(serving)
        command.kill()
    assert within_a_moment(lambda: not pids.is_stopped(serving.pid))
    assert is_unhurt(serving)


@pytest.mark.parametrize("fails", [False, True])
def test_it_goes_on_behind_the_command_which_leaves_nothing(
    start: MakeChild, *, fails: bool
) -> None:
    serving = start()
    before = children()
    try:
        with standstill(str(serving.pid)):
            assert comes_to_a_stop(serving)
            if fails:
                raise KeyError
    except KeyError:
        assert fails
    assert within_a_moment(lambda: is_unhurt(serving))
    assert children() == before


def comes_to_a_stop(child: Child) -> bool:
    return within_a_moment(lambda: pids.is_stopped(child.pid))


def children() -> str:
    return Path("/proc/thread-self/children").read_text()


@pytest.mark.parametrize("is_elsewhere", [False, True])
def test_a_stopped_proxy_ends_with_its_backend(
    tree: Tree, start: MakeChild, monkeypatch: pytest.MonkeyPatch, *, is_elsewhere: bool
) -> None:
    """SIGHUP alone it would take only when it is continued, and that nobody would do."""

    def processes(_: object) -> list[int]:
        if is_elsewhere:
            raise FileNotFoundError
        return [serving.pid]

    serving = start()
    monkeypatch.setattr(proxy, "_processes", processes)
    monkeypatch.setenv("PROXY", str(serving.pid))
    serving.send_signal(signal.SIGSTOP)
    assert comes_to_a_stop(serving)
    proxy.hang_up(tree.write_env("pg1", env()))
    assert serving.wait(5) == -signal.SIGHUP


def test_an_idle_check_continues_it_though_its_backend_is_down(
    tree: Tree, start: MakeChild, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving = start()
    instance = tree.write_env("pg1", env())
    monkeypatch.setattr(systemctl, "main_pid", lambda _: serving.pid)
    monkeypatch.setattr(pids, "cgroup", lambda _: f"/system.slice/{instance.proxy_unit}")
    monkeypatch.setattr(systemctl, "is_down", lambda _: True)
    monkeypatch.setattr(unwatched, "stop", lambda *_: None)
    serving.send_signal(signal.SIGSTOP)
    assert comes_to_a_stop(serving)
    check.run(instance)
    assert is_unhurt(serving)
