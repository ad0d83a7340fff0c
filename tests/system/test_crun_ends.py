"""A database that crun runs ends in order, and within seconds, whatever ends it and when."""

from __future__ import annotations

import contextlib
import signal
import time
from pathlib import Path

import pytest

from client import Lost, Refused
from database import Database
from ending import send
from instances import Make
from moment import until
from program import must, run
from recovery import awake, heals
from soak import SOAK, only_in_soak

pytestmark = pytest.mark.fault

STEP = 0.002 if SOAK else 0.01  # seconds
LATEST = 0.15  # seconds after the first packet; then it is awake
WITHIN = 15.0  # seconds for what takes minutes when a stop signal is lost
_UNCLEAN = ("not properly shut down", "automatic recovery", "immediate shutdown")


def stop_for_good(database: Database, after: float) -> float:
    """Wake it, stop it and its port after seconds; returns how many that took."""
    must("systemctl", "start", database.socket)
    client = database.start_psql()
    time.sleep(after)  # this is the aiming
    began = time.monotonic()
    must("systemctl", "stop", database.socket, database.proxy, database.backend, timeout=120)
    client.communicate(timeout=60)
    return time.monotonic() - began


def test_a_stop_at_any_moment_of_a_start_takes_seconds(instance: Make) -> None:
    """systemd sends its signal once, and a process 1 without a handler never gets it."""
    database = instance()
    late = []
    for number in range(int(LATEST / STEP) + 1):
        took = stop_for_good(database, number * STEP)
        if took > WITHIN:
            late.append(f"{1000 * number * STEP:.0f} ms after the first packet: {took:.1f} s")
    assert late == []
    must("systemctl", "start", database.socket)
    assert database.psql() == "1"
    database.asleep()
    said = database.journal()
    assert [word for word in _UNCLEAN if word in said] == []
    assert said.count("database system is shut down") > LATEST / STEP / 3, "the aim is bad"


@pytest.mark.kills
def test_a_server_whose_crun_is_killed_loses_nothing(instance: Make) -> None:
    """systemd then kills the rest of the unit: of a unit that has failed it runs no ExecStop=."""
    database, client = awake(instance)
    database.kill(database.backend)
    heals(database, client)


def is_served(database: Database) -> bool:
    with contextlib.suppress(Lost, Refused):
        database.connect().close()
        return True
    return False


@pytest.mark.kills
@pytest.mark.parametrize(
    "number", [signal.SIGKILL, *only_in_soak(signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)]
)
def test_what_makes_its_cluster_may_be_ended(instance: Make, number: signal.Signals) -> None:
    """bin/prepare, or the whole unit, before there is a database."""
    database = instance("--no-provision")
    for whole in (False, True):
        client = database.start_psql()
        until("it is being prepared", lambda: preparing(database) or client.poll() is not None)
        if whole:
            run("systemctl", "kill", f"--signal={number.name}", database.backend)
        else:
            send(preparing(database), number)
        client.communicate(timeout=60)
        until("the next client is served", lambda: is_served(database), 60)
        if not whole:
            database.asleep(backend=("inactive", "failed"))
            make_anew(database)
    database.asleep()
    assert database.psql() == "1"
    database.asleep()


def make_anew(database: Database) -> None:
    """Have the next wake make its cluster again."""
    run("rm", "-r", "--", *map(str, database.data.iterdir()))
    (database.etc / "uninitialised").touch()


def preparing(database: Database) -> list[int]:
    return [int(line.split()[0]) for line in database.processes() if "/prepare" in line]


@pytest.mark.kills
def test_what_a_killed_crun_knew_is_in_no_wake_s_way(instance: Make) -> None:
    database = instance()
    assert database.psql() == "1"
    run("systemctl", "kill", "--signal=KILL", database.backend)
    database.asleep(backend=("inactive", "failed"))
    state = Path(database.run) / "crun" / database.name
    state.mkdir(parents=True, exist_ok=True)
    (state / "status").write_text('{"pid": 1, "bundle": "/nowhere"}')
    until("the next client is served", lambda: is_served(database), WITHIN)
    database.asleep()
