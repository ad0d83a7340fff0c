"""Kill or stop parts of an awake database: clients notice, and no committed row is lost."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import docker_engine
from database import Database
from instances import Make
from moment import until
from program import must, run
from recovery import awake, heals

pytestmark = [pytest.mark.fault, pytest.mark.engine]


@pytest.mark.kills
def test_container_killed_as_by_the_oom_killer(instance: Make) -> None:
    database, client = awake(instance)
    pid = database.server_pid()
    assert pid > 1
    os.kill(pid, signal.SIGKILL)
    heals(database, client)
    assert "its container ended with status 137" in database.journal()


@pytest.mark.kills
def test_no_client_is_led_to_a_dead_server_however_late_the_engine_notices(instance: Make) -> None:
    database, client = awake(instance)
    pid = database.server_pid()
    assert pid > 1
    with frozen("docker.service", "containerd.service"):
        os.kill(pid, signal.SIGKILL)
        until(
            "its proxy has gone", lambda: database.main_pid(database.proxy) != database.proxy_before
        )
        next_client = database.start_psql("select sum(n) from kept")
        until("it has connected", lambda: clients(database) == 1)
        assert next_client.poll() is None
    assert next_client.communicate(timeout=60)[0] == "500500\n"
    heals(database, client)


def clients(database: Database) -> int:
    listed = must("ss", "-Htn", "state", "established", f"sport = :{database.port}")
    return len(listed.splitlines())


@contextmanager
def frozen(*units: str) -> Iterator[None]:
    """Stop the processes of these units (SIGSTOP) meanwhile."""
    must("systemctl", "kill", "--signal=STOP", *units)
    try:
        yield
    finally:
        must("systemctl", "kill", "--signal=CONT", *units)


def test_container_stopped_behind_our_back(instance: Make) -> None:
    database, client = awake(instance)
    must("docker", "stop", database.container)
    heals(database, client)
    assert "not properly shut down" not in database.journal()


def test_engine_restarted(instance: Make) -> None:
    database, client = awake(instance)
    docker_engine.restart()
    heals(database, client)


def test_engine_stopped_for_good_under_its_clients(instance: Make) -> None:
    database, client = awake(instance)
    try:
        docker_engine.allow_starts()
        must("systemctl", "stop", "docker.socket", "docker.service", timeout=120)
        until(
            "its proxy has gone", lambda: database.main_pid(database.proxy) != database.proxy_before
        )
        assert "the container engine does not answer at /run/docker.sock" in database.fatal()
    finally:
        must("systemctl", "start", "docker.socket", "docker.service")
    heals(database, client)
    assert "not properly shut down" not in database.journal()


@pytest.mark.kills
def test_engine_killed(instance: Make) -> None:
    database, client = awake(instance)
    docker_engine.allow_starts()
    must("systemctl", "kill", "--signal=KILL", "docker.service")
    until("the engine answers again", lambda: run("docker", "ps").status == 0)
    heals(database, client)


def test_backends_main_process_killed(instance: Make) -> None:
    database, client = awake(instance)
    database.kill(database.backend)
    heals(database, client)
    assert "not properly shut down" not in database.journal()


def test_proxy_killed(instance: Make) -> None:
    database, client = awake(instance)
    database.kill(database.proxy)
    heals(database, client)
    assert "not properly shut down" not in database.journal()
