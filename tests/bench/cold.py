"""Cold starts in turns: sockwake twice, two hand-made recipes, the floor; psql on an awake one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import engine_client
import handmade
import instances
import postgres_client
import psql
import traces
from instances import Instance
from traces import BenchError

FLOOR_TIMEOUT_S = 30.0
PATTERNS = (*instances.PATTERNS, *handmade.PATTERNS)
_WOKEN = re.compile(r"woken by .+? in (\d+) ms \((.*)\)")


@dataclass
class Contestant:
    """measure() returns milliseconds, or raises BenchError with what the client read."""

    name: str
    measure: Callable[[], float]
    every: int = 1
    samples: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def measure(rounds: int, tail_rounds: int) -> dict[str, Any]:
    """rounds of every contestant in turn, behind one of warm-up; then the tail. Milliseconds."""
    instance = instances.make("pg1")
    by_engine = instances.make("engine1", "--runtime", "engine")
    floor = instances.make("floor", "--runtime", "engine", enable=False)
    os.makedirs(f"{floor.run}/backend", exist_ok=True)
    own, engine = Sockwake(instance), Sockwake(by_engine)
    host = instances.make("host", "--runtime", "host", version="17")  # the one that Debian has
    detached = handmade.Recipe("recipe-detached", 54322)
    contestants = [
        Contestant("sockwake", own.cold),
        Contestant("warm", own.warm),
        Contestant("engine", engine.cold),
        Contestant("host", lambda: psql.row_ms(host.port, host.password)),
        Contestant("recipe", handmade.Recipe("recipe", 54321).cold),
        Contestant("floor", lambda: floor_ms(floor)),
        Contestant("detached", detached.until_answered, every=2),
    ]
    handmade.install()
    quiet = [_round(contestants, number) for number in range(rounds + 1)]
    own.parts, engine.woken = own.parts[1:], engine.phases_from_journal()[-rounds:]
    tail = Contestant("tail", own.cold)
    quiet += [_round([tail], number) for number in range(1, tail_rounds + 1)]
    parts = own.parts[:rounds]
    return {
        "samples": {each.name: each.samples for each in (*contestants, tail)},
        "failures": {each.name: each.failures for each in (*contestants, tail)},
        "detached_refusals": detached.refusals[1:],
        "parts": parts,
        "phases": engine.woken,
        "quiet": [sum(map(sum, quiet)), sum(map(len, quiet))],
    }


def _round(contestants: list[Contestant], number: int) -> list[bool]:
    """Measure each once; round 0 warms up. Whether the machine was quiet before each cold one."""
    quiet = []
    for each in contestants:
        if number % each.every:
            continue
        if each.name != "warm":
            traces.await_asleep(["pg1", "engine1", "floor", "host"], PATTERNS)
            quiet.append(traces.await_quiet())
        try:
            took = each.measure()
        except BenchError as error:
            each.failures.append(str(error))
        else:
            if number:
                each.samples.append(took)
    print(
        f"  round {number}: "
        + ", ".join(f"{each.name} {each.samples[-1]:.0f}" for each in contestants if each.samples),
        file=sys.stderr,
    )
    return quiet


class Sockwake:
    """Cold and warm starts of one instance, and where their time goes."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.parts: list[dict[str, float]] = []
        self.woken: list[dict[str, float]] = []

    def cold(self) -> float:
        """A psql that wakes it."""
        started = time.monotonic()
        took = psql.row_ms(self.instance.port, self.instance.password)
        self.parts.append(self._parts(started, took))
        return took

    def warm(self) -> float:
        """A psql on the instance that is awake now."""
        return psql.row_ms(self.instance.port, self.instance.password)

    def _parts(self, started: float, took: float) -> dict[str, float]:
        """Milliseconds from psql's start to each moment that systemd, the waker and psql report."""
        backend, proxy = (
            self._timestamps(self.instance.backend),
            self._timestamps(self.instance.proxy),
        )
        ready = (
            os.stat(f"{self.instance.run}/ready").st_mtime_ns / 1e9 - time.time() + time.monotonic()
        )
        moments = {
            "unit": backend["InactiveExitTimestampMonotonic"],
            "waker": backend["ExecMainStartTimestampMonotonic"],
            "waking": backend["ActiveEnterTimestampMonotonic"],
            "proxy": proxy["ExecMainStartTimestampMonotonic"],
            "ready": ready,
        }
        return {what: 1000 * (moment - started) for what, moment in moments.items()} | {"row": took}

    def _timestamps(self, unit: str) -> dict[str, float]:
        shown = subprocess.run(
            ["systemctl", "show", unit], capture_output=True, text=True, check=True
        ).stdout
        pairs = (line.split("=", 1) for line in shown.splitlines() if "TimestampMonotonic=" in line)
        return {key: int(value) / 1e6 for key, value in pairs}

    def phases_from_journal(self) -> list[dict[str, float]]:
        """From the waker's line in the journal: milliseconds of each wake, in all and by phase."""
        command = ["journalctl", "--unit", self.instance.backend, "--output=cat", "--no-pager"]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        found = []
        for total, phases in _WOKEN.findall(said):
            pairs = (phase.rsplit(" ", 1) for phase in phases.split(", "))
            found.append({"total": float(total)} | {what: float(took) for what, took in pairs})
        return found


def floor_ms(instance: Instance) -> float:
    """Milliseconds from the start request to the engine until PostgreSQL asks for a password."""
    path = f"{instance.run}/backend/.s.PGSQL.5432"
    before = time.perf_counter()
    answer = engine_client.begin("POST", f"/containers/{instance.container}/start")
    while not postgres_client.asks_for_password(path):
        if time.perf_counter() - before > FLOOR_TIMEOUT_S:
            raise BenchError(f"the floor's container does not answer in {FLOOR_TIMEOUT_S:.0f} s")
        time.sleep(0.001)
    took = time.perf_counter() - before
    engine_client.finish(answer)
    engine_client.stop(instance.container)
    return 1000 * took
