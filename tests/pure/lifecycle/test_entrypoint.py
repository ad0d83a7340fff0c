"""Which shell scripts become the server by exec, read from the process that runs them."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sockwake.lifecycle import entrypoint


@contextmanager
def shell(*words: str, folder: Path) -> Iterator[int]:
    """A shell that runs; the number of its process."""
    with subprocess.Popen(["sh", *words], cwd=folder, stdin=subprocess.PIPE) as running:
        while not Path(f"/proc/{running.pid}/cmdline").read_bytes():
            time.sleep(0.01)  # within execve(2)
        yield running.pid
        running.communicate(b"\n")


@pytest.mark.parametrize(
    ("script", "becomes"),
    [
        ('read x; exec "$@"', True),
        ("read x\nif true; then exec true; fi", True),
        ("read x && exec true", True),
        ("read x; while :; do break; done", False),
        ("read x; exec 2>&1; exec >/dev/null", False),
        ("read x; echo exec it", False),
        ("read x # exec it", False),
    ],
)
def test_a_script_that_becomes_another_program_is_known(
    tmp_path: Path, script: str, becomes: bool
) -> None:
    (tmp_path / "run.sh").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "link.sh").symlink_to("run.sh")
    ways = (["-c", script], ["-e", "-c", script], [f"{tmp_path}/run.sh"], ["link.sh", "true"])
    for words in ways:
        with shell(*words, folder=tmp_path) as pid:
            main = entrypoint._main_process(pid)
            assert main[0] == pid and Path(main[1]).name in entrypoint._SHELLS
            assert entrypoint._will_exec(main) is becomes, words


def test_a_script_that_cannot_be_read_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with shell("-c", "read x", folder=tmp_path) as pid:
        for path in ("/nowhere", "loop", "/dev/zero", "/"):
            assert entrypoint._script(pid, path) == ""


def test_a_process_that_has_ended_is_no_shell() -> None:
    assert entrypoint._main_process(1 << 30)[1] == ""
