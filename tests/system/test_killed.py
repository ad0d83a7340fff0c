"""sockwake-new is killed with -9 after each step: it can be run again, and nothing is left."""

from __future__ import annotations

import glob
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from instances import Know
from program import run
from soak import SOAK

DATA = "/var/lib/sockwake/pg1"
EXISTS, UNKNOWN, INTERRUPTED = 3, 5, 130


def path(text: str) -> Callable[[], bool]:
    return lambda: os.path.exists(text)


NEW = "sockwake-new pg1 --version 18 --idle 1s".split()
BUNDLE = "/var/lib/sockwake/bundles/pg1"


def container(name: str) -> Callable[[], bool]:
    return lambda: run("docker", "inspect", name).status == 0


def either(*reached: Callable[[], bool]) -> Callable[[], bool]:
    return lambda: any(each() for each in reached)


STEPS = {
    "the port is chosen": path("/etc/sockwake/.new-pg1/instance.env"),
    "the data directory is claimed": path("/etc/sockwake/.new-pg1/made-data"),
    "the data directory is made": path(DATA),
    "the first container is made": either(
        container("sockwake-pg1_init"), path("/run/sockwake/pg1/bundle.pid")
    ),
    "initdb has begun": path(f"{DATA}/.initialising/18/docker/PG_VERSION"),
    "the server runs": path(f"{DATA}/.initialising/18/docker/postmaster.pid"),
    "the cluster is made": path(f"{DATA}/.initialised"),
    "the cluster is in its place": path(f"{DATA}/18/docker/PG_VERSION"),
    "the everyday container is made": either(container("sockwake-pg1"), path(BUNDLE)),
    "it has its name": path("/etc/sockwake/pg1/instance.env"),
}


RUNTIMES = ("crun", "engine")


def interrupted_after(reached: Callable[[], bool], with_signal: int, runtime: str = "crun") -> int:
    """Start sockwake-new, and signal it as soon as it has reached a step; returns its status."""
    maker = subprocess.Popen([*NEW, "--runtime", runtime, "--quiet"], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        # no pause: some of the steps take a millisecond
        while not reached() and maker.poll() is None:
            assert time.monotonic() < deadline, "sockwake-new never got there"
    finally:
        if maker.poll() is None:
            maker.send_signal(with_signal)
    return maker.wait(60)


@pytest.mark.fault
@pytest.mark.parametrize(
    "step, ending, runtime",
    [
        (step, ("again", "rm")[number % 2], runtime)
        for number, step in enumerate(STEPS)
        for runtime in RUNTIMES
        if SOAK or (runtime == "crun" and number % 3 != 2)
    ],
)
def test_killed_when(known: Know, step: str, ending: str, runtime: str) -> None:
    database = known("pg1")
    interrupted_after(STEPS[step], signal.SIGKILL, runtime)
    if ending == "again":
        again = run(*NEW, timeout=120)
        assert again.status in (0, EXISTS), again  # EXISTS when the kill came too late
        database.open()
        assert database.psql() == "1"
        database.asleep()
    else:
        removed = run("sockwake", "rm", "pg1", "--purge", timeout=120)
        assert removed.status == 0 or (removed.status == UNKNOWN and not Path(DATA).exists()), (
            removed
        )


@pytest.mark.fault
def test_killed_and_removed_while_its_crun_is_slow_to_end(known: Know) -> None:
    known("pg1")
    interrupted_after(STEPS["the server runs"], signal.SIGKILL)
    made_by = [int(pid) for pid in run("pgrep", "-f", "crun .*sockwake-pg1_init").out.split()]

    def signal_all(number: int) -> None:
        for pid in made_by:
            os.kill(pid, number)

    signal_all(signal.SIGSTOP)
    later = threading.Timer(2, signal_all, [signal.SIGCONT])
    later.start()
    run("sockwake", "rm", "pg1", "--purge", timeout=120).expect(0)
    left = [pid for pid in made_by if os.path.exists(f"/proc/{pid}")]
    later.join()
    assert made_by and not left
    assert not os.path.exists("/run/sockwake/pg1")


@pytest.mark.parametrize(
    ("with_signal", "runtime"),
    [
        (signal.SIGTERM, "crun"),
        (signal.SIGINT, "engine"),
        pytest.param(signal.SIGTERM, "engine", marks=pytest.mark.soak),
        pytest.param(signal.SIGINT, "crun", marks=pytest.mark.soak),
    ],
)
def test_ended_by_a_signal_it_removes_what_it_has_made(
    known: Know, with_signal: int, runtime: str
) -> None:
    known("pg1")
    assert interrupted_after(STEPS["initdb has begun"], with_signal, runtime) == INTERRUPTED
    assert (
        not os.path.exists(DATA)
        and glob.glob("/etc/sockwake/*pg1", include_hidden=True) == []
        and not os.path.exists("/run/sockwake/pg1")
    )
    assert run("docker", "inspect", "sockwake-pg1_init").status != 0
    assert run("pgrep", "-f", "sockwake-pg1_init").status != 0  # crun's


def test_two_at_once_on_one_name(known: Know) -> None:
    database = known("pg1")
    makers = [
        subprocess.Popen(
            ["sockwake-new", "pg1", "--version", "18", "--idle", "1s", "--quiet"],
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    said = [maker.communicate(timeout=120)[1] for maker in makers]
    assert sorted(maker.returncode for maker in makers) == [0, EXISTS], said
    database.open()
    assert database.psql() == "1"
