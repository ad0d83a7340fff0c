"""psql, as a user calls it."""

from __future__ import annotations

import os
import subprocess
import time

from traces import BenchError

ANSWER_TIMEOUT_S = 60.0


def row_ms(port: int, password: str) -> float:
    """Milliseconds of a psql that reads one row; raises BenchError with its output."""
    environment = {
        **os.environ,
        "PGHOST": "127.0.0.1",
        "PGPORT": str(port),
        "PGUSER": "postgres",
        "PGPASSWORD": password,
    }
    before = time.perf_counter()
    try:
        done = subprocess.run(
            ["psql", "-Atc", "select 1"],
            check=False,
            env=environment,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=ANSWER_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        raise BenchError(f"no answer in {ANSWER_TIMEOUT_S:.0f} s") from None
    took = time.perf_counter() - before
    if done.returncode or done.stdout != "1\n":
        raise BenchError(" ".join(done.stderr.split()) or f"psql printed {done.stdout!r}")
    return 1000 * took
