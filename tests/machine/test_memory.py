"""A machine whose files are in memory: it keeps them as long as any, and they end with it."""

from __future__ import annotations

import glob
import os
import signal
from pathlib import Path

import pytest

import test_machine
from test_machine import PID, eventually, keeper, machine, row, run

pytestmark = test_machine.pytestmark


def disks(name: str) -> list[str]:
    """The disks of machines in memory."""
    return glob.glob(f"/dev/shm/machine-*{name}*")


@pytest.mark.parametrize("end", ["stop", "kill -9 of its keeper"])
def test_its_disk_is_in_memory_if_there_is_room(end: str) -> None:
    name = f"mt-{PID}-memory"
    try:
        machine("boot", name, "--in-memory")
        folder = Path(row(name)[3])
        place = (folder / "image").resolve()
        assert disks(name) == ([str(place)] if place != folder / "image" else [])
        for path in ("/root/kept", "/srv/kept"):
            run(name, "touch", path)
        kind = "ext2/ext3" if place != folder / "image" else "ext2/ext3|xfs|btrfs"
        assert run(name, "stat", "--file-system", "--format=%T", "/srv").strip() in kind
        machine("kill", name)
        machine("start", name)
        run(name, "ls", "/root/kept", "/srv/kept")
        assert run(name, "docker", "images", "--quiet", "postgres:18")
        if end != "stop":
            os.kill(keeper(name), signal.SIGKILL)
            assert eventually(lambda: row(name) == [])
    finally:
        machine("stop", name)
    assert disks(name) == [] and not folder.exists()
