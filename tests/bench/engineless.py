"""What no engine takes part in: wakes while it restarts, a second instance, a host without one."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from typing import Any

import instances
import psql
import traces
from traces import BenchError

ENGINE = ("docker.service", "docker.socket", "containerd.service")
PARTS = ("/var/lib/sockwake/images", "/var/lib/sockwake/bundles", "/etc/sockwake")


def measure(restarts: int) -> dict[str, Any]:
    """Failures of wakes, bytes, and the names of processes."""
    first = instances.make("less1")
    before = _bytes()
    second = instances.make("less2")
    took = _bytes() - before
    failures, wakes = _wake_meanwhile([first, second], restarts)
    return {
        "restarts": restarts,
        "failures": failures,
        "wakes": wakes,
        "second_bytes": took,
        "left": _left_without_engine(),
    }


def _bytes() -> int:
    """What everything but data takes on the disk. du(1) counts a file with several names once."""
    there = [path for path in PARTS if os.path.exists(path)]
    argv = ["du", "--summarize", "--total", "--block-size=1", *there]
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    return int(said.splitlines()[-1].split()[0])


def _wake_meanwhile(woken: list[instances.Instance], restarts: int) -> tuple[list[str], int]:
    """Wake them in turn until the engine has been restarted; returns failures, and all wakes."""
    argv = ["systemctl", "restart", ENGINE[0]]
    over = threading.Event()

    def restart() -> None:
        for _ in range(restarts):
            subprocess.run(["systemctl", "reset-failed", ENGINE[0]], check=False)
            subprocess.run(argv, check=False)
            time.sleep(0.5)
        over.set()

    thread = threading.Thread(target=restart)
    thread.start()
    failures, wakes = [], 0
    while not over.is_set() or wakes <= restarts:
        instance = woken[wakes % len(woken)]
        _await_units_asleep(instance)
        wakes += 1
        try:
            psql.row_ms(instance.port, instance.password)
        except BenchError as error:
            failures.append(str(error))
    thread.join()
    return failures, wakes


def _await_units_asleep(instance: instances.Instance) -> None:
    """Ask systemd alone: the engine may not answer."""
    deadline = time.monotonic() + traces.ASLEEP_TIMEOUT_S
    while traces.active_units([instance.backend, instance.proxy]):
        if time.monotonic() > deadline:
            raise BenchError(f"{instance.name} is still awake")
        time.sleep(0.05)


def _left_without_engine() -> list[str]:
    """The processes that sockwake and the engine have while all sleep and the engine is stopped."""
    listed = sorted(os.listdir("/etc/sockwake"))
    traces.await_asleep(listed, instances.PATTERNS)
    subprocess.run(["systemctl", "stop", *ENGINE], check=True, capture_output=True)
    try:
        found = traces.of_instances(listed)
        engine = ("dockerd", "containerd", "conmon", "podman", "crun")
        found += [
            process
            for process in traces.processes()
            if os.path.basename(process.command.split(" ", 1)[0]).startswith(engine)
        ]
        return sorted({process.command[:60] for process in found})
    finally:
        subprocess.run(["systemctl", "start", ENGINE[1], ENGINE[0]], check=True)
