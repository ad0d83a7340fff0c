"""What is killed or stopped while clients are connected: they notice, the next one is served, nothing committed is lost."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from client import Client, Lost, Refused
from conftest import Make
from database import Database
from moment import until, until_gone
from program import must, run, start

pytestmark = pytest.mark.fault


def awake(instance: Make) -> tuple[Database, Client]:
    """An instance with something committed in it, and a client that stays."""
    database = instance()
    client = database.connect()
    client.query("create table kept as select generate_series(1, 1000) as n")
    database.proxy_before = database.main_pid(database.proxy)
    return database, client


def heals(database: Database, client: Client) -> None:
    """The client has lost its session, cleanly or not; the next one is served with everything there.

    Next is who comes when the proxy has noticed, too: before, it leads to a server that is dead, as its port would.
    """
    until("the client notices", lambda: has_ended(client))
    client.vanish()
    until("its proxy has gone", lambda: database.main_pid(database.proxy) != database.proxy_before)
    assert database.psql("select sum(n) from kept") == "500500"
    database.asleep()
    assert database.psql("select sum(n) from kept") == "500500"


def has_ended(client: Client) -> bool:
    try:
        client.query("select 1")
    except (Lost, Refused):
        return True
    return False


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


def slow_to_start(database: Database) -> None:
    """Its container takes two seconds before it begins, so that there is something to hit."""
    database.edit_compose("    command:\n", '    entrypoint: ["sh", "-c", "sleep 2; exec $$0 $$@", "entrypoint"]\n    command:\n')


@pytest.mark.parametrize("victim", ["proxy", "backend"])
def test_killed_while_it_wakes_and_the_client_that_waits_is_answered(instance: Make, victim: str) -> None:
    database = instance()
    slow_to_start(database)
    client = start("psql", "-h", "127.0.0.1", "-p", str(database.port), "-XAtc", "select 1", env=database.environment)
    try:
        until("the container runs", lambda: database.server_pid())
        unit = database.proxy if victim == "proxy" else database.backend
        until(f"{unit} has a process", lambda: database.main_pid(unit))
        database.kill(unit)
        said = client.communicate(timeout=60)[0]
    finally:
        client.kill()
    assert said == "1\n" if victim == "proxy" else 'FATAL:  sockwake: instance "pg1" cannot start: its ' in said, said
    assert database.psql() == "1"
    database.asleep()


def test_stopped_while_it_wakes_ends_without_a_crash_recovery(instance: Make) -> None:
    database = instance()
    client = start("psql", "-h", "127.0.0.1", "-p", str(database.port), "-XAtc", "select 1", env=database.environment)
    try:
        until("it wakes", lambda: database.state(database.backend) == "active")
        run("systemctl", "stop", database.proxy, database.backend, timeout=120)  # the client may call it off
        client.communicate(timeout=60)
    finally:
        client.kill()
    assert database.psql() == "1"
    database.asleep()
    assert "not properly shut down" not in database.journal()


def _stop_backend(database: Database) -> None:
    must("systemctl", "stop", database.backend, timeout=120)


def _restart_backend(database: Database) -> None:
    must("systemctl", "restart", database.backend, timeout=120)


def _stop_proxy(database: Database) -> None:
    must("systemctl", "stop", database.proxy, timeout=120)


def _restart_proxy(database: Database) -> None:
    must("systemctl", "restart", database.proxy, timeout=120)


def _restart_socket(database: Database) -> None:
    must("systemctl", "restart", database.socket, timeout=120)


def _stop_and_start_socket(database: Database) -> None:
    must("systemctl", "stop", database.socket, database.proxy, timeout=120)
    must("systemctl", "start", database.socket, timeout=120)


@pytest.mark.parametrize("act", [_stop_backend, _restart_backend, _stop_proxy, _restart_proxy, _restart_socket,
                                 _stop_and_start_socket])
def test_systemctl_while_awake(instance: Make, act: Callable[[Database], None]) -> None:
    database, client = awake(instance)
    act(database)
    assert database.is_listening()
    heals(database, client)
    assert "not properly shut down" not in database.journal()


@pytest.mark.parametrize("unit", ["proxy", "backend", "socket"])
def test_restart_while_asleep_leaves_it_asleep(instance: Make, unit: str) -> None:
    database = instance()
    must("systemctl", "restart", getattr(database, unit), timeout=120)
    database.asleep()
    assert database.psql() == "1"


@pytest.mark.parametrize("unit", ["proxy", "backend", "socket"])
def test_restarted_while_awake_but_without_a_client_goes_to_sleep_again(instance: Make, unit: str) -> None:
    database, client = awake(instance)
    client.close()
    must("systemctl", "restart", getattr(database, unit), timeout=120)
    database.asleep()
    assert database.psql("select sum(n) from kept") == "500500"


def test_daemon_reload_while_clients_come_and_go(instance: Make) -> None:
    database = instance()
    for _ in range(5):
        with database.connect() as client:
            must("systemctl", "daemon-reload")
            assert client.value("select 1") == "1"
        must("systemctl", "daemon-reload")
    until_gone("asleep after reloads", lambda: database.processes())
    assert database.psql() == "1"
