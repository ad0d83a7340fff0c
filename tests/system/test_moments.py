"""systemctl stops and restarts each unit at each moment: the next client is served.

test_systemctl.py does so while clients are connected.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from client import Lost, Refused
from database import Database
from ending import WITHIN
from instances import Make
from moment import until
from program import must, run
from soak import only_in_soak

pytestmark = [pytest.mark.fault, pytest.mark.engine]
ACTS = [(verb, unit) for verb in ("stop", "restart") for unit in ("proxy", "backend", "socket")]


def asleep(database: Database) -> None:
    database.asleep()


def waking(database: Database) -> subprocess.Popen[str]:
    """A client waits, and its server is not ready yet."""
    database.asleep()
    client = database.start_psql()
    until("it wakes", lambda: database.state(database.backend) == "active")
    return client


def falling_asleep(database: Database, do: Callable[[int], object] = lambda _: None) -> None:
    """The server is shutting down; repeated, as a short shutdown may be over before it is seen.

    do: what happens then to the main process of its unit, which may have ended already.
    """
    for _ in range(10):
        database.psql()
        pid = database.main_pid(database.backend)
        must("systemctl", "stop", database.proxy)
        while (state := database.state(database.backend)) == "active":
            pass
        if state == "deactivating":
            with contextlib.suppress(ProcessLookupError):
                do(pid)
                return
    raise AssertionError("it is never seen falling asleep")


@pytest.mark.parametrize("moment", [waking, *only_in_soak(asleep, falling_asleep)])
def test_stopped_or_restarted(
    instance: Make, moment: Callable[[Database], subprocess.Popen[str] | None]
) -> None:
    database = instance()
    database.psql("create table kept as select generate_series(1, 1000) as n")
    for verb, unit in ACTS:
        client = moment(database)
        run("systemctl", verb, getattr(database, unit), timeout=120)  # a client may call it off
        if client:
            client.communicate(timeout=60)  # served, told or sent away; but not left waiting
        if (verb, unit) == ("stop", "socket"):
            assert database.state(database.socket) == "inactive"
            must("systemctl", "start", database.socket)
        assert database.is_listening(), (verb, unit)
        assert database.psql("select sum(n) from kept") == "500500", (verb, unit)
    database.asleep()
    assert "not properly shut down" not in database.journal()
    assert must("docker", "inspect", "--format={{.State.ExitCode}}", database.container) == "0\n"


@pytest.mark.parametrize("victim", ["backend", "proxy"])
def test_killed_while_it_falls_asleep_or_its_proxy_before(instance: Make, victim: str) -> None:
    database = instance()
    database.psql("create table kept as select generate_series(1, 1000) as n")
    if victim == "backend":
        falling_asleep(database, lambda pid: os.kill(pid, signal.SIGKILL))
    else:
        database.kill(database.proxy)
    assert database.psql("select sum(n) from kept") == "500500"
    database.asleep()
    assert "not properly shut down" not in database.journal()


def test_its_unit_killed_while_the_server_shuts_down_leaves_a_container_that_delays_no_wake(
    instance: Make,
) -> None:
    """No ExecStopPost= can run in a cgroup whose processes are killed: the container may run on."""
    database = instance()
    database.psql("create table kept as select generate_series(1, 1000) as n")
    for _ in range(5):
        database.psql()
        must("systemctl", "stop", "--no-block", database.backend)
        must("systemctl", "kill", "--signal=KILL", database.backend)
        began = time.monotonic()
        assert database.psql("select sum(n) from kept") == "500500"
        assert time.monotonic() - began < WITHIN
    database.asleep()
    assert "not properly shut down" not in database.journal()


@pytest.mark.soak
def test_daemon_reload_in_a_loop_while_clients_come_and_go(instance: Make) -> None:
    databases = [instance(name=name) for name in ("pg1", "pg2")]
    done = threading.Event()

    def reload() -> int:
        times = 0
        while not done.is_set():
            must("systemctl", "daemon-reload")
            times += 1
        return times

    def come_and_go(database: Database) -> list[str]:
        lost = []
        for _ in range(2):
            try:
                with database.connect() as client:
                    assert client.value("select 1") == "1"
            except (Lost, Refused) as error:
                lost.append(f"{database}: {error}")
            database.asleep(timeout=120)
        return lost

    with ThreadPoolExecutor(3) as pool:
        reloads = pool.submit(reload)
        try:
            lost = [line for lines in pool.map(come_and_go, databases) for line in lines]
        finally:
            done.set()
    assert lost == []
    assert reloads.result() > 5
    assert all(database.journal().count("woken by") >= 2 for database in databases)


def test_a_session_outlives_reloads(instance: Make) -> None:
    database = instance()
    with database.at_work() as client:
        for _ in range(5):
            must("systemctl", "daemon-reload")
            assert client.value("select 1") == "1"
