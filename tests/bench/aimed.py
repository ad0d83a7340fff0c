"""Cold starts aimed at the worst moments: the idle exit, the instant behind it, and the stop."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import instances
import postgres_client
import traces
from instances import Instance

IDLE_S = 1.0
EXIT_SPREAD_S = 0.35  # systemd gathers timers: the proxy leaves up to 250 ms late
STOP_SPREAD_S = 0.5  # what a stop takes, and a little
GONE_SPREAD_S = 0.01
GONE_TIMEOUT_S = 10.0
PATIENCE_S = 240.0
AIMS = ("idle exit", "proxy gone", "stopping")
_GOLDEN = 0.6180339887  # its multiples scan an interval evenly, wherever one stops


@dataclass
class Tally:
    """Connections made to one instance, cold starts among them, and failures."""

    made: int = 0
    cold: dict[str, int] = field(default_factory=lambda: dict.fromkeys(AIMS, 0))
    failures: list[str] = field(default_factory=list)


def measure(wanted: int, parallel: int = 4) -> dict[str, Any]:
    """Aim at `parallel` new instances at once until there were `wanted` cold starts."""
    return attack([instances.make(f"aim{number}") for number in range(1, parallel + 1)], wanted)


def attack(
    made: Sequence[Instance], wanted: int, exit_spread: float = EXIT_SPREAD_S
) -> dict[str, Any]:
    """Aim at these instances until there were `wanted` cold starts.

    exit_spread: seconds by which they may exit late.
    """
    tallies = [Tally() for _ in made]
    threads = [
        threading.Thread(
            target=_attack, args=(instance, tally, -(-wanted // len(made)), exit_spread)
        )
        for instance, tally in zip(made, tallies, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    names = [instance.name for instance in made]
    traces.await_asleep(names, instances.PATTERNS)
    return {
        "wanted": wanted,
        "made": sum(tally.made for tally in tallies),
        "cold": {aim: sum(tally.cold[aim] for tally in tallies) for aim in AIMS},
        "failures": [failure for tally in tallies for failure in tally.failures],
        "recoveries": sum(_recoveries(instance) for instance in made),
        "sockets_failed": sum(not _listens(instance) for instance in made),
    }


def _attack(instance: Instance, tally: Tally, wanted: int, exit_spread: float) -> None:
    deadline = time.monotonic() + PATIENCE_S
    _connect(instance, tally, "first")
    for number, aim in enumerate(_aims()):
        if sum(tally.cold.values()) >= wanted or time.monotonic() > deadline:
            break
        _aim(instance, aim, number * _GOLDEN % 1, exit_spread)
        tally.cold[aim] += _connect(instance, tally, aim)
    print(
        f"  {instance.name}: {tally.made} connections, {tally.cold}, {len(tally.failures)} failed",
        file=sys.stderr,
    )


def _aims() -> Iterator[str]:
    while True:
        yield from AIMS


def _aim(instance: Instance, aim: str, phase: float, exit_spread: float) -> None:
    """Return at the moment to connect; the last client has left just now."""
    left = time.monotonic()
    if aim == "idle exit":
        time.sleep(max(0.0, left + IDLE_S + phase * exit_spread - time.monotonic()))
        return
    _await_exit(_holder(instance))
    time.sleep(phase * (GONE_SPREAD_S if aim == "proxy gone" else STOP_SPREAD_S))


def _connect(instance: Instance, tally: Tally, aim: str) -> bool:
    """Ask for one row; whether that woke the instance, and the leaving proxy did not serve it."""
    before = _holder(instance)
    tally.made += 1
    try:
        instance.ask()
    except postgres_client.ClientError as error:
        tally.failures.append(f"{aim}: {error}")
        return False
    return _holder(instance) != before


def _holder(instance: Instance) -> int:
    """The process that holds its connections, 0 when there is none."""
    return next(iter(traces.members(instance.holder)), 0)


def _await_exit(pid: int) -> None:
    if not pid:
        return
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        poll.poll(GONE_TIMEOUT_S * 1000)
    finally:
        os.close(descriptor)


def _recoveries(instance: Instance) -> int:
    """The number of starts with a crash recovery."""
    command = ["journalctl", "--unit", instance.backend, "--output=cat", "--no-pager"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return said.count("was not properly shut down")


def _listens(instance: Instance) -> bool:
    unit = f"pg-proxy@{instance.name}.socket"
    return subprocess.run(["systemctl", "is-active", "--quiet", unit], check=False).returncode == 0
