"""A database that is stopped at any moment of its start ends in order and starts again."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from client import Lost, Refused
from database import Database
from instances import Make
from moment import until
from program import must, run
from soak import SOAK

pytestmark = [pytest.mark.fault, pytest.mark.engine]

STOPS = 200 if SOAK else 4  # of each way
# exit statuses; until the image's entrypoint has become PostgreSQL, the engine's signal ends the
# container: its shell with the first, the gosu that it becomes for a moment with the second
BY_SIGINT, OF_GOSU, BY_SIGKILL = 130, 2, 137
WAYS: dict[str, Callable[[Database], object]] = {
    # run, as a client may cancel the stop
    "stopped": lambda database: run("systemctl", "stop", database.backend, timeout=120),
    "restarted": lambda database: must("systemctl", "restart", database.backend, timeout=120),
    "engine": lambda database: must("docker", "stop", database.container, timeout=120),
}


def connect(database: Database) -> None:
    """A client whose database is stopped: served or not, it does not hang."""
    with contextlib.suppress(Lost, Refused):
        database.connect().close()


def time_of_a_wake(database: Database) -> float:
    """Seconds of one wake, on a machine as busy as it is now."""
    began = time.monotonic()
    connect(database)
    took = time.monotonic() - began
    database.asleep()
    return took


def stop_again_and_again(database: Database) -> set[int]:
    """Stop it at one moment after the other; returns the statuses its container ended with."""
    ended = set()
    latest = 1.3 * time_of_a_wake(database)  # then it is awake
    with ThreadPoolExecutor(1) as pool:
        for number in range(STOPS):
            client = pool.submit(connect, database)
            time.sleep(latest * number / STOPS)  # this is the aiming
            WAYS[database.name](database)
            client.result(120)
            until(
                "it has ended", lambda: database.state(database.backend) in ("inactive", "failed")
            )
            ended.add(
                int(must("docker", "inspect", "--format={{.State.ExitCode}}", database.container))
            )
    return ended


def test_stops_at_every_moment_of_a_start_end_in_no_kill_and_no_recovery(instance: Make) -> None:
    ways = [way for way in WAYS if SOAK or way != "restarted"]
    databases = [instance(name=way) for way in ways]
    with ThreadPoolExecutor(len(databases)) as pool:
        ended = dict(zip(ways, pool.map(stop_again_and_again, databases)))
    assert BY_SIGKILL not in set().union(*ended.values()), ended
    assert ended["stopped"] == ended.get("restarted", {0}) == {0}
    assert ended["engine"] <= {0, BY_SIGINT, OF_GOSU}
    for database in databases:
        assert database.psql() == "1"
        database.asleep()
        said = database.journal(f"--unit={database.backend}")
        started = said.count("database system is ready to accept connections")
        assert STOPS / 3 < started <= said.count("database system is shut down"), (
            "the aim is bad, or one has not ended itself"
        )
        assert "not properly shut down" not in said and "automatic recovery" not in said
