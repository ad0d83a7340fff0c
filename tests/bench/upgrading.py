"""An upgrade of 1 GB from 17 to 18, and what pg_upgrade took of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import instances
import traces
from instances import Instance
from traces import BenchError

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
    """Seconds of each round: all of the upgrade, and pg_upgrade alone."""
    instance = instances.make(NAME, version="17")
    _fill(instance)
    taken = []
    for _ in range(rounds):
        traces.await_asleep([NAME], instances.PATTERNS)
        done = json.loads(_upgrade("--version", "18", "--json"))
        taken.append((done["seconds"], done["data_seconds"]))
        _upgrade("--back")
        _upgrade("--forget")
    subprocess.run(["sockwake", "rm", NAME, "--purge"], check=True, capture_output=True)
    print(f"  {taken}", file=sys.stderr)
    return {"method": done["method"], "taken": taken}


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
    argv = ["sockwake", "upgrade", NAME, *words]
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    if done.returncode:
        raise BenchError(f"{' '.join(argv)} failed: {done.stderr.strip()}")
    return done.stdout
