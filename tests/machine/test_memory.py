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


def places(name: str) -> list[str]:
    """Where machines have their files in memory."""
    return glob.glob(f"/dev/shm/machine-*{name}*")


@pytest.mark.parametrize("end", ["stop", "kill -9 of its keeper"])
def test_in_memory_if_there_is_room(end: str) -> None:
    name = f"mt-{PID}-memory"
    try:
        machine("boot", name, "--in-memory")
        folder = Path(row(name)[3])
        place = (folder / "upper").resolve().parent
        assert places(name) == ([] if place == folder else [str(place)])
        run(name, "touch", "/root/kept", "/srv/kept")
        machine("kill", name)
        machine("start", name)
        run(name, "ls", "/root/kept", "/srv/kept")
        assert (place / "upper/root/kept").exists() and (place / "real/srv/kept").exists()
        if end != "stop":
            os.kill(keeper(name), signal.SIGKILL)
            assert eventually(lambda: row(name) == [])
            assert not place.exists()
    finally:
        machine("stop", name)
    assert places(name) == [] and not folder.exists()
