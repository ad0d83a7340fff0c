"""kill -9 of `sockwake sleep` while it has the proxy stand still, and of the server with it."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from database import Database
from ending import WITHIN
from instances import Make
from moment import until

pytestmark = [pytest.mark.fault, pytest.mark.kills]


def is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].startswith("T")


def kill_a_sleep(database: Database, proxy: int) -> None:
    """Kill a `sockwake sleep` that has stopped the proxy, to count its clients."""
    for _ in range(20):
        with subprocess.Popen(
            ["sockwake", "sleep", database.name], stderr=subprocess.DEVNULL
        ) as command:
            while not (is_caught := is_stopped(proxy)) and command.poll() is None:
                pass
            command.kill()
        if is_caught:
            return
    raise AssertionError("its proxy is never seen standing still")


def test_clients_go_on_and_no_death_of_the_server_behind_it_closes_the_port(instance: Make) -> None:
    """Without a check no look would find what stands still."""
    database = instance("--check", "none", idle="infinity")
    with database.connect() as client:
        proxy = database.main_pid(database.proxy)
        kill_a_sleep(database, proxy)
        until("the proxy goes on", lambda: not is_stopped(proxy), 5)
        assert client.value("select 1") == "1"
        assert database.psql("select 2", timeout=WITHIN) == "2"
        # as when what would have continued it was killed, too
        os.kill(proxy, signal.SIGSTOP)
        database.kill(database.backend)
        assert database.psql("select 3", timeout=WITHIN) == "3"
