"""Work in a process beside a command: it goes on when the command is killed."""

import os
import signal
import time
from pathlib import Path

import pytest

from sockwake.admin.access import beside
from sockwake.errors import IN_USE, SockwakeError


def raising(error: Exception) -> None:
    raise error


def test_its_error_is_told_as_it_is() -> None:
    beside.run(lambda: None)
    with pytest.raises(SockwakeError, match="it is so") as caught:
        beside.run(lambda: raising(SockwakeError("it is so", "do that", IN_USE, "said")))
    told = caught.value
    assert (told.hint, told.status, told.said) == ("do that", IN_USE, "said")
    with pytest.raises(SockwakeError, match="cannot use /x: no such file"):
        beside.run(lambda: raising(FileNotFoundError(2, "No such file or directory", "/x")))


def test_it_is_told_when_it_was_killed() -> None:
    with pytest.raises(beside.Killed):
        beside.run(lambda: os.kill(os.getpid(), signal.SIGKILL))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_it_goes_on_when_the_command_is_killed(tmp_path: Path, number: int) -> None:
    begun, done = tmp_path / "begun", tmp_path / "done"

    def work() -> None:
        begun.touch()
        time.sleep(0.5)
        done.touch()

    command = os.fork()
    if not command:
        beside.run(work)
        os._exit(0)
    deadline = time.monotonic() + 20
    while not begun.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(command, number)
    os.waitpid(command, 0)
    while not done.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert done.exists()
