"""When a PostgreSQL with silent clients sleeps, and when there is no check."""

from __future__ import annotations

import time

from instances import Make
from moment import until
from program import run
from wakefulness import IDLE, stays_awake


def test_silent_connection_is_let_go_and_the_server_sleeps(instance: Make) -> None:
    database = instance(idle=f"{IDLE}s")
    client = database.connect()
    client.query("select 1")
    database.asleep()
    assert "1 silent for " in database.journal(
        "--identifier=sockwake-check", "--identifier=sockwake"
    )
    assert database.psql() == "1"
    client.vanish()
    database.asleep()
    assert "not properly shut down" not in database.journal()


def test_connection_that_says_something_now_and_then_keeps_it_awake(instance: Make) -> None:
    database = instance("--check-every", "1s", idle="4s")
    with database.connect() as client:
        server = database.server_pid()
        for _ in range(10):
            time.sleep(0.8)  # less than IDLE
            assert client.value("select 1") == "1"
        assert database.server_pid() == server
    database.asleep()


def test_a_port_that_is_written_and_not_yet_opened_ends_no_session(instance: Make) -> None:
    database = instance("--check-every", "1s", idle="2s")
    port = database.port
    with database.connect() as client:
        server = database.server_pid()
        for key, value in (("PORT", "25999"), ("LISTEN", "127.0.0.9")):
            before = database.setting(key)
            database.set(key, value)
            for _ in range(5):
                time.sleep(0.8)  # less than IDLE
                assert client.value("select 1") == "1"
            run("sockwake", "sleep", database.name).expect(4, "has 1 connected client: ")
            database.set(key, before)
        assert (database.server_pid(), database.port) == (server, port)
    database.asleep()


def test_without_a_check_a_silent_connection_keeps_it_awake_and_there_is_no_timer(
    instance: Make,
) -> None:
    database = instance("--check", "none", idle=f"{IDLE}s")
    with database.connect() as client:
        assert database.state(database.check) == "inactive"
        stays_awake(database)
        assert client.value("select 1") == "1"
    database.asleep()


def test_timer_is_there_only_while_it_is_awake_and_as_often_as_asked_for(instance: Make) -> None:
    database = instance("--check-every", "7s", idle=f"{IDLE}s")
    assert database.state(database.check) == "inactive"
    with database.connect():
        until("the timer is there", lambda: database.state(database.check) == "active")
        assert "7s" in database.property(database.check, "TimersMonotonic")
        assert database.property(database.check, "BindsTo") == database.backend
    run("systemctl", "stop", database.proxy, database.backend)
    until(
        "the timer is gone", lambda: database.property(database.check, "LoadState") == "not-found"
    )
    database.asleep()
