"""sockwake rm is killed with -9 after each step: it can be run again, and nothing is left."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from database import Database
from instances import Know, Make
from program import run
from soak import SOAK

EXISTS, UNKNOWN = 3, 5
DATA = Path("/var/lib/sockwake/pg1")
STEPS: dict[str, Callable[[Database], object]] = {
    "it has begun": lambda database: True,
    "the port is disabled": lambda database: not Path(
        f"/etc/systemd/system/sockets.target.wants/{database.socket}"
    ).is_symlink(),
    "the port is closed": lambda database: database.state(database.socket) == "inactive",
    "the bundle is gone": lambda database: not Path("/var/lib/sockwake/bundles").exists(),
    "the cluster is going": lambda _: not (DATA / "18/docker/PG_VERSION").exists(),
    "the data are gone": lambda _: not DATA.exists(),
    "the name is free": lambda database: not database.etc.exists(),
    "it is all but done": lambda database: not database.run.exists(),
}


@pytest.mark.fault
@pytest.mark.parametrize(
    "step", [step for number, step in enumerate(STEPS) if SOAK or number % 4 == 0]
)
def test_killed_when(instance: Make, step: str) -> None:
    database = instance()
    remover = subprocess.Popen(
        ["sockwake", "rm", "pg1", "--purge"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    # no pause: some of the steps take a millisecond
    while not STEPS[step](database) and remover.poll() is None:
        assert time.monotonic() < deadline, "sockwake rm never got there"
    remover.kill()
    remover.wait(60)
    again = run("sockwake", "rm", "pg1", "--purge", timeout=120)
    assert again.status == 0 or (again.status == UNKNOWN and not DATA.exists()), again
    assert instance("--no-provision").is_listening()


@pytest.mark.fault
def test_killed_without_purge_it_leaves_every_row(instance: Make) -> None:
    database = instance()
    database.psql("create table kept as select 1 as n")
    password = database.password
    remover = subprocess.Popen(
        ["sockwake", "rm", "pg1"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while database.state(database.socket) != "inactive" and remover.poll() is None:
        pass
    remover.send_signal(signal.SIGKILL)
    remover.wait(60)
    assert run("sockwake", "rm", "pg1", timeout=120).status in (0, UNKNOWN)
    again = instance()
    assert again.password == password
    assert again.psql("select n from kept") == "1"
    assert "not properly shut down" not in again.journal()


def both(first: list[str], second: list[str]) -> list[tuple[int, str]]:
    """(status, output) of two commands that are started at the same moment."""
    children = [
        subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for argv in (first, second)
    ]
    said = [child.communicate(timeout=120)[0] for child in children]
    return [(child.returncode, text) for child, text in zip(children, said, strict=True)]


def test_two_at_once(instance: Make) -> None:
    database = instance()
    ended = both(["sockwake", "rm", "pg1", "--purge"], ["sockwake", "rm", "pg1", "--purge"])
    assert sorted(status for status, _ in ended) == [0, UNKNOWN], ended
    assert "Traceback" not in str(ended)
    assert not database.etc.exists() and not os.path.exists("/var/lib/sockwake/pg1")


def test_rm_and_sockwake_new_of_the_same_name_at_once(known: Know, instance: Make) -> None:
    instance("--no-provision")
    ended = both(
        ["sockwake", "rm", "pg1", "--purge"],
        ["sockwake-new", "pg1", "--version", "18", "--idle", "1s", "--quiet"],
    )
    assert ended[0][0] == 0 and ended[1][0] in (0, EXISTS), ended
    if ended[1][0] == 0:
        database = known("pg1")
        database.open()
        assert database.psql() == "1"
