"""Backup and copy of a sleeping cluster of 1 GB beside cp, with blocks shared and without.

The part in the guest.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from typing import Any

import instances
import reflink
import traces
from psql import row_ms
from traces import BenchError, run

BACKUPS = "/var/backups/sockwake"
ROWS = 750_000  # of 600 bytes
FILL = f"create table big as select n, repeat(md5(n::text), 18) from generate_series(1, {ROWS}) n"


def measure(rounds: int) -> dict[str, Any]:
    """Seconds of backups, of copies and of cp, in turns, on both file systems."""
    reflink.mount()
    found: dict[str, Any] = {}
    for kind, place in (("shared", f"{reflink.PLACE}/pg"), ("plain", "/srv/plain")):
        name = f"copies-{kind}"
        os.makedirs(f"{os.path.dirname(place)}/backups-{kind}", mode=0o700, exist_ok=True)
        shutil.rmtree(BACKUPS, ignore_errors=True)
        if os.path.islink(BACKUPS):
            os.unlink(BACKUPS)
        os.symlink(f"{os.path.dirname(place)}/backups-{kind}", BACKUPS)
        made = instances.make(name, "--data", place)
        _fill(made)
        found[kind] = {
            "bytes": _usage(place),
            "samples": _in_turns(made, place, rounds),
            "waits": _waits(made, rounds) if kind == "shared" else {},
        }
        print(f"  copies, {kind}: {found[kind]}", file=sys.stderr)
        run("sockwake", "rm", "--purge", name)
        shutil.rmtree(os.path.realpath(BACKUPS))
        os.unlink(BACKUPS)
    return found


def _fill(made: instances.Instance) -> None:
    environment = {**os.environ, "PGPASSWORD": made.password}
    argv = ["psql", "-h", "127.0.0.1", "-p", f"{made.port}", "-U", "postgres", "-qc", FILL]
    subprocess.run(argv, check=True, env=environment, timeout=600)
    traces.await_asleep([made.name], instances.PATTERNS)
    run("sync")


def _in_turns(made: instances.Instance, place: str, rounds: int) -> dict[str, list[float]]:
    """Seconds of each, behind a round of warm-up."""
    beside = f"{os.path.dirname(place)}/beside"
    samples: dict[str, list[float]] = {"backup": [], "copy": [], "cp": [], "cp and sync": []}
    for number in range(rounds + 1):
        took = {"backup": _timed("sockwake", "backup", "--quiet", made.name)}
        run("sockwake", "backups", "expire", "--keep", "1", made.name)
        where = ["--data", f"{place}-copy", "--keep-password", "--quiet"]
        took["copy"] = _timed("sockwake", "copy", *where, made.name, "copied")
        run("sockwake", "rm", "--purge", "copied")
        run("sync")
        took["cp"] = _timed("cp", "--archive", "--reflink=auto", place, beside)
        took["cp and sync"] = took["cp"] + _timed("sync", "--file-system", beside)
        shutil.rmtree(beside)
        run("sync")
        for what, seconds in took.items() if number else ():
            samples[what].append(seconds)
    return samples


def _waits(made: instances.Instance, rounds: int) -> dict[str, list[float]]:
    """Milliseconds of a psql that wakes it, alone and while a backup has just begun."""
    waits: dict[str, list[float]] = {"alone": [], "during": []}
    for _ in range(rounds):
        for what in waits:
            traces.await_asleep([made.name], instances.PATTERNS)
            backup = threading.Thread(target=run, args=("sockwake", "backup", "-j", made.name))
            if what == "during":
                backup.start()
                _await_copy()
            waits[what].append(row_ms(made.port, made.password))
            if what == "during":
                backup.join()
    return waits


def _await_copy() -> None:
    top = os.path.realpath(BACKUPS)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        for entry in os.scandir(top):
            if any(name.startswith(".new-") for name in os.listdir(entry.path)):
                return
    raise BenchError("no backup has begun")


def _usage(path: str) -> int:
    return int(run("du", "--summarize", "--block-size=1", path).split()[0])


def _timed(*argv: str) -> float:
    before = time.perf_counter()
    run(*argv)
    return time.perf_counter() - before
