"""An upgrade of 1 GB from 17 to 18 by each method, and what pg_upgrade took of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import instances
import reflink
import traces
from instances import Instance
from traces import BenchError, run

NAME = "upgraded"
ROWS = 1_000_000  # of some 1,000 bytes
# 17.12 has an option on each column that 18.6, the newest that Debian has, does not know
FILL = f"""
CREATE TABLE filled AS SELECT n, repeat('x', 950) FROM generate_series(1, {ROWS}) n;
CREATE INDEX ON filled (n);
SET allow_system_table_mods = on;
UPDATE pg_attribute SET attoptions = NULL WHERE attrelid = 'filled'::regclass;
"""


def measure(rounds: int) -> dict[str, Any]:
    """Seconds of each round by method: all of the upgrade, and pg_upgrade alone."""
    reflink.mount()
    places = {"clone": ("--data", f"{reflink.PLACE}/{NAME}"), "upgrade": ()}
    return {method: _by_method(rounds, method, options) for method, options in places.items()}


def _by_method(rounds: int, method: str, options: Sequence[str]) -> dict[str, Any]:
    _fill(instances.make(NAME, *options, version="17"))
    taken = []
    for _ in range(rounds + 1):  # the first unpacks the image, and is not counted
        traces.await_asleep([NAME], instances.PATTERNS)
        done = json.loads(_upgrade("--version", "18", "--json"))
        if done["method"] != method:
            raise BenchError(f"it was upgraded by {done['method']}, not by {method}")
        taken.append((done["seconds"], done["data_seconds"]))
        _upgrade("--back")
        _upgrade("--forget")
    run("sockwake", "rm", NAME, "--purge")
    print(f"  {method}: {taken}", file=sys.stderr)
    return {"taken": taken[1:]}


def _fill(instance: Instance) -> None:
    where = {"PGHOST": "127.0.0.1", "PGPORT": str(instance.port), "PGUSER": "postgres"}
    environment = {**os.environ, **where, "PGPASSWORD": instance.password}
    argv = ["psql", "-Xq", "-v", "ON_ERROR_STOP=1"]
    done = subprocess.run(
        argv, check=False, env=environment, input=FILL, capture_output=True, text=True
    )
    if done.returncode:
        raise BenchError(done.stderr.strip())


def _upgrade(*words: str) -> str:
    return run("sockwake", "upgrade", NAME, *words)
