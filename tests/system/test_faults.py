"""What is killed or stopped behind its back while clients are connected: they notice, and nothing committed is lost."""

from __future__ import annotations

import os
import signal

import pytest

from conftest import Make
from moment import until
from program import must, run
from recovery import awake, heals

pytestmark = pytest.mark.fault


@pytest.mark.kills
def test_container_killed_as_by_the_oom_killer(instance: Make) -> None:
    database, client = awake(instance)
    pid = database.server_pid()
    assert pid > 1
    os.kill(pid, signal.SIGKILL)
    heals(database, client)
    assert "its container ended with status 137" in database.journal()


def test_container_stopped_behind_our_back(instance: Make) -> None:
    database, client = awake(instance)
    must("docker", "stop", database.container)
    heals(database, client)
    assert "not properly shut down" not in database.journal()


def test_engine_restarted(instance: Make) -> None:
    database, client = awake(instance)
    must("systemctl", "restart", "docker.service", timeout=120)
    heals(database, client)


@pytest.mark.kills
def test_engine_killed(instance: Make) -> None:
    database, client = awake(instance)
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
