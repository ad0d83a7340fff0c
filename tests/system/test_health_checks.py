"""TCP health checks, which connect and close: they wake nothing and keep nothing awake."""

from __future__ import annotations

import socket
import time

import pytest

import redis_server
from check_program import CheckProgram
from instances import Make, MakeService, MakeSleeper
from moment import until
from soak import only_in_soak
from stranger import ask, knock, knock_and_reset, knocking, sleeps, turned_away, wakes


@pytest.mark.parametrize("kind", ["command", *only_in_soak("native")])
def test_a_health_check_wakes_nothing_where_the_server_may_speak_first(
    service: MakeService, redis: str, program: str, kind: str
) -> None:
    """A connection that was reset is in no kernel table; one that stays is a client."""
    checked = (
        redis_server.server(service, redis)
        if kind == "command"
        else service("native", "--exec", program)
    )
    before = wakes(checked)
    for number, resets in enumerate((False, True, False), 1):
        (knock_and_reset if resets else knock)(checked)
        until("it is turned away", lambda: turned_away(checked) == number)
        checked.asleep()
    assert wakes(checked) == before
    with socket.create_connection(("127.0.0.1", checked.port)):
        until("it is woken", lambda: wakes(checked) == before + 1)
    checked.asleep()


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("postgres", ("--check-every", "1s")),
        pytest.param("postgres", ("--check", "none"), marks=pytest.mark.soak),
        pytest.param("container", (), marks=pytest.mark.soak),
        pytest.param("command", (), marks=pytest.mark.soak),
        pytest.param("native", ("--check-every", "1s"), marks=pytest.mark.soak),
    ],
)
def test_a_health_check_keeps_nothing_awake(
    sleeper: MakeSleeper, kind: str, options: tuple[str, ...]
) -> None:
    checked = sleeper(kind, "--idle", "3s", *options)
    before = wakes(checked)
    with knocking(checked, every=0.9):
        slept = sleeps(checked)
        ask(checked)
        until("it falls asleep", lambda: sleeps(checked) > slept)
        seen = turned_away(checked)
        until("it is turned away again", lambda: turned_away(checked) > seen + 2)
        assert wakes(checked) == before + 1
        ask(checked)
        until("it falls asleep again", lambda: sleeps(checked) > slept + 1)
    checked.asleep()
    assert wakes(checked) == before + 2


def test_a_health_check_holds_up_no_check_that_takes_longer(
    instance: Make, check: CheckProgram
) -> None:
    database = instance("--check", check("sleep 2"), "--check-every", "1s")
    with knocking(database, every=0.5):
        ask(database)
        until("it falls asleep", lambda: sleeps(database) == 1)
    database.asleep()
    assert wakes(database) == 1


def test_a_health_check_ends_no_session(instance: Make) -> None:
    database = instance("--idle", "5s", "--check-every", "1s")
    with knocking(database, every=0.9), database.connect() as client:
        for number in range(6):
            time.sleep(1.5)
            assert client.value(f"select {number}") == str(number)
    database.asleep()
    assert wakes(database) == 1
