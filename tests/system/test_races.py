"""Connections aimed at the idle exit, the stop and the start: none is lost."""

from __future__ import annotations

import math
import random
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import figures
from client import Lost, Refused
from database import Database
from instances import Make
from program import must
from soak import SOAK, only_in_soak

SIDE_BY_SIDE = 5 if SOAK else 3  # instances; their stops and starts get into each other's way, too
CYCLES = 1000 if SOAK else 36
LONGEST = 3000.0 if SOAK else 200.0  # seconds
IDLE = 1.0  # seconds
# after the last goodbye: before and in the idle exit, at the next check, in the stop, after it
EARLIEST, LATEST = IDLE - 0.05, 3 * IDLE + 0.6
KINDS: dict[str, tuple[str, ...]] = {
    "plain": (),
    "TLS": ("--tls",),
    "no check": ("--check", "none"),
}
COMPANIONS_WITHIN = 0.5  # seconds: from the start of a wake to its end


class Aim:
    """The connections to one instance, one cycle after the other."""

    def __init__(self, database: Database, deadline: float) -> None:
        self.database = database
        self.deadline = deadline
        self.chance = random.Random(database.name)
        self.cycles = 0
        self.lost: list[str] = []

    def run(self, cycles: int) -> None:
        self._client(0.0)
        with ThreadPoolExecutor(3) as pool:
            while self.cycles < cycles and time.monotonic() < self.deadline:
                # this is the aiming: there is no event to wait for
                time.sleep(self.chance.uniform(EARLIEST, LATEST))
                companions = range(self.chance.randrange(3))
                delays = [self.chance.uniform(0, COMPANIONS_WITHIN) for _ in companions]
                list(pool.map(self._client, [0.0, *delays]))
                self.cycles += 1

    def _client(self, delay: float) -> None:
        time.sleep(delay)
        began = time.monotonic()
        try:
            with self.database.connect() as client:
                assert client.value("select 42") == "42"
        except (Lost, Refused) as error:
            figures.count("connections lost")
            when = f"cycle {self.cycles}, after {time.monotonic() - began:.3f} s"
            self.lost.append(f"{self.database} {when}: {error}")


@pytest.mark.parametrize("kind", ["plain", *only_in_soak("TLS", "no check")])
def test_no_connection_is_lost_whenever_it_arrives(instance: Make, kind: str) -> None:
    databases = [
        instance(*KINDS[kind], name=f"pg{number}", idle=f"{IDLE:g}s")
        for number in range(1, SIDE_BY_SIDE + 1)
    ]
    cycles = math.ceil(CYCLES / len(KINDS) / SIDE_BY_SIDE)  # of each
    aims = [Aim(database, time.monotonic() + LONGEST / len(KINDS)) for database in databases]
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        list(pool.map(lambda aim: aim.run(cycles), aims))
    assert [line for aim in aims for line in aim.lost] == []
    for database in databases:
        database.asleep()
        said = database.journal()
        assert "not properly shut down" not in said and "status 137" not in said
        if not database.is_bundled:
            ended = must("docker", "inspect", "--format={{.State.ExitCode}}", database.container)
            assert ended == "0\n"
    tried = sum(aim.cycles for aim in aims)
    woken = sum(database.journal().count("woken by") for database in databases)
    print(f"{tried} cycles, {woken} cold starts")
    assert tried == cycles * SIDE_BY_SIDE and woken > tried / 3
