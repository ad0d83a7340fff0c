"""What an awake instance keeps resident, and what a sleeping one keeps at all."""

from __future__ import annotations

import os
import re
import subprocess
import time
from typing import Any

import engine_client
import instances
import postgres_client
import traces
from instances import Instance

SETTLED_S = 0.5
PROXY = "systemd-socket-proxyd"
_KILOBYTES = re.compile(r"^(\w+): +(\d+) kB$", re.MULTILINE)


def measure(wakes: int) -> dict[str, Any]:
    """Kilobytes of the processes in an instance's two units, over several wakes."""
    instance = instances.make("awake")
    own, proxy = [], []  # beyond PostgreSQL
    for _ in range(wakes):
        traces.await_asleep([instance.name], instances.PATTERNS)
        connection = postgres_client.Connection(instance.address, instance.password)
        time.sleep(SETTLED_S)
        rows = [row for row in _resident(instance) if not row["program"].startswith("postgres")]
        connection.close()
        own.append(_total([row for row in rows if row["program"] != PROXY]))
        proxy.append(_total([row for row in rows if row["program"] == PROXY]))
    traces.await_asleep([instance.name], instances.PATTERNS)
    return {"own": own, "proxy": proxy, "programs": sorted({str(row["program"]) for row in rows})}


def _resident(instance: Instance) -> list[dict[str, Any]]:
    """Rss, Pss and Private of each process in kB (/proc/PID/smaps_rollup, proc_pid_smaps(5))."""
    rows = []
    for unit in (instance.backend, instance.proxy):
        for pid in traces.members(unit):
            sizes = {
                key: int(value)
                for key, value in _KILOBYTES.findall(traces.read(f"/proc/{pid}/smaps_rollup"))
            }
            private = sizes["Private_Clean"] + sizes["Private_Dirty"]
            words = traces.read(f"/proc/{pid}/cmdline").split("\0")
            row = {"rss": sizes["Rss"], "pss": sizes["Pss"], "private": private}
            rows.append({"program": os.path.basename(words[0]), **row})
    return rows


def _total(rows: list[dict[str, Any]]) -> dict[str, int]:
    return {key: sum(row[key] for row in rows) for key in ("rss", "pss", "private")}


def measure_asleep() -> dict[str, Any]:
    """What is there of all the instances this machine has, while all of them sleep."""
    listed = sorted(os.listdir("/etc/sockwake"))
    traces.await_asleep(listed, instances.PATTERNS)
    patterns = ["pg-*.timer", "sockwake*.timer"]
    argv = [*"systemctl list-units --all --no-legend --plain".split(), *patterns]
    timers = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    return {
        "instances": len(listed),
        "processes": len(traces.of_instances(listed)),
        "containers": len(engine_client.running()),
        "timers": len(timers.split("\n")) - 1,
        "units": len(traces.active_units(instances.PATTERNS)),
    }
