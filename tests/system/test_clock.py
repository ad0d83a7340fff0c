"""A clock that is set forward or back changes nothing (in a machine with a clock of its own)."""

from __future__ import annotations

import itertools
import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

import figures
from database import Database
from instances import Make, MakeService
from program import PATIENCE, must
from service import Service

IDLE = 10  # seconds; what a machine as slow as this one does between two looks has to take less
LATEST = IDLE + 60  # one IDLE until the next look, and the rest for what takes seconds here
JUMPS = (400, -800, 400)  # days
STOPPING = "de5b426a63be47a7b6ac3eaac82e2f6f"  # systemd's word on a unit (systemd/sd-messages.h)
WORDS = {
    "command": (b"PING\r\n", b"+PONG\r\n"),
    "native": (b"GET / HTTP/1.0\r\n\r\n", b"HTTP/1.0 200 OK\r\n"),
}


class Clock:
    """The machine's clock, and a way to set it."""

    def __init__(self) -> None:
        self._began = time.time() - time.monotonic()

    def jump(self, days: int) -> None:
        time.clock_settime(time.CLOCK_REALTIME, time.time() + days * 86400)

    def put_back(self) -> None:
        time.clock_settime(time.CLOCK_REALTIME, self._began + time.monotonic())


@pytest.fixture
def clock() -> Iterator[Clock]:
    """A clock that may be set; it is put right after the test."""
    clock = Clock()
    yield clock
    clock.put_back()


@pytest.fixture
def one_of_each(
    clock: Clock, instance: Make, service: MakeService, redis: str, program: str
) -> list[Service]:
    """Everything that sleeps differently; the clock is put right when they have gone."""
    return [
        instance(idle=f"{IDLE}s"),
        service(
            "command",
            "--exec",
            f"{redis} --port {{port}} --bind 127.0.0.1 --dir {{data}}",
            name="svc1",
            idle=f"{IDLE}s",
        ),
        service("native", "--exec", program, name="svc2", idle=f"{IDLE}s"),
    ]


def ask(one: Service) -> float:
    """Be its client until it has answered; returns when, by a clock that cannot be set."""
    if isinstance(one, Database):
        with one.connect() as client:
            assert client.value("select 1") == "1"
            return time.monotonic()
    figures.count("connections made")
    say, hear = WORDS[one.setting("KIND")]
    with socket.create_connection(("127.0.0.1", one.port), PATIENCE) as client:
        client.sendall(say)
        assert client.recv(len(hear)) == hear
        return time.monotonic()


def wake(one: Service, clock: Clock) -> None:
    """Be the client that wakes it, while the clock goes back and forth."""
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(ask, one)
        for days in itertools.cycle(JUMPS):
            time.sleep(0.3)
            if answer.done():
                break
            clock.jump(days)
    answer.result()
    assert not one.failed, one.journal()


def sleeps_in_time(one: Service, left: float) -> None:
    """No client is connected since left. Looks seldom: each look takes the only processor."""
    deadline = time.monotonic() + PATIENCE
    while one.state(one.backend) != "inactive":
        assert time.monotonic() < deadline, f"{one} does not go to sleep\n{one.journal()}"
        time.sleep(2)
    must("journalctl", "--sync")
    said = must(
        "journalctl", "--output=json", f"MESSAGE_ID={STOPPING}", f"UNIT={one.backend}"
    ).splitlines()
    stopped = [
        after
        for line in said
        if (after := int(json.loads(line)["__MONOTONIC_TIMESTAMP"]) / 1e6 - left) > 0
    ]
    assert len(stopped) == 1 and IDLE <= stopped[0] <= LATEST, (
        f"{one} went to sleep {stopped} s after its last client"
    )


def test_a_clock_set_at_any_time_delays_no_client_and_changes_no_idle_time(
    clock: Clock, one_of_each: list[Service]
) -> None:
    for asleep, idle in ((400, -800), (-800, 400)):
        clock.jump(asleep)
        for one in one_of_each:
            wake(one, clock)
        # again, as the other wakes may have taken as long as IDLE
        left = {one: ask(one) for one in one_of_each}
        clock.jump(idle)
        for one in one_of_each:
            sleeps_in_time(one, left[one])


def test_a_clock_set_during_a_busy_session_does_not_end_it(clock: Clock, instance: Make) -> None:
    database = instance(idle=f"{IDLE}s")
    with database.connect() as client:
        backend = client.value("select pg_backend_pid()")
        began = time.monotonic()
        for days in itertools.cycle(JUMPS):
            if time.monotonic() > began + 2.5 * IDLE:
                break
            clock.jump(days)
            for _ in range(3):
                time.sleep(1)
                assert client.value("select pg_backend_pid()") == backend
        left = time.monotonic()
    sleeps_in_time(database, left)
