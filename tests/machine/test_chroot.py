"""A command in a view of a tree: its changes end with it, and it ends with its caller."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

import test_machine
from test_machine import MACHINE, machine

pytestmark = test_machine.pytestmark


def test_chroot_is_a_view(tmp_path: Path) -> None:
    command = "touch /etc/new /out/new && exit 37"
    bind = ["--bind", f"{tmp_path}:/out"]
    machine("chroot", "toolbox", *bind, "--", "sh", "-c", command, status=37)
    assert (tmp_path / "new").exists()
    machine("chroot", "toolbox", "--", "test", "-e", "/etc/new", status=1)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_what_runs_in_a_chroot_ends_with_it(tmp_path: Path, number: int) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    argv = [str(MACHINE), "chroot", "--bind", f"{tmp_path}:/out", "toolbox"]
    with (
        subprocess.Popen(
            [*argv, "--", "sh", "-c", "exec >/out/pipe; echo here; sleep 60; echo late"]
        ) as view,
        pipe.open() as said,
    ):
        assert said.readline() == "here\n"
        view.send_signal(number)
        assert said.read() == "", "it went on"
