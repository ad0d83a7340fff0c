"""Backup and copy of a sleeping cluster of 1 GB beside cp, with blocks shared and without.

The part in the guest. The file system that shares blocks is a btrfs that guests.py has made.
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
import traces
from psql import row_ms
from traces import BenchError

DISK = "/root/reflink.tar.gz"
PLACE = "/srv/reflink"
BACKUPS = "/var/backups/sockwake"
ROWS = 750_000  # of 600 bytes
FILL = f"create table big as select n, repeat(md5(n::text), 18) from generate_series(1, {ROWS}) n"


def measure(rounds: int) -> dict[str, Any]:
    """Seconds of backups, of copies and of cp, in turns, on both file systems."""
    _mount()
    found: dict[str, Any] = {}
    for kind, place in (("shared", f"{PLACE}/pg"), ("plain", "/srv/plain")):
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
        _run("sockwake", "rm", "--purge", name)
        shutil.rmtree(os.path.realpath(BACKUPS))
        os.unlink(BACKUPS)
    return found


def _mount() -> None:
    if os.path.ismount(PLACE):
        return
    os.makedirs(PLACE, exist_ok=True)
    _run("tar", "-C", "/root", "-xSf", DISK)
    for number in range(8):
        if not os.path.exists(f"/dev/loop{number}"):
            _run("mknod", f"/dev/loop{number}", "b", "7", f"{number}")
    if not os.path.exists("/dev/loop-control"):
        _run("mknod", "/dev/loop-control", "c", "10", "237")
    _run("mount", "-o", "loop", "/root/disk", PLACE)


def _fill(made: instances.Instance) -> None:
    environment = {**os.environ, "PGPASSWORD": made.password}
    argv = ["psql", "-h", "127.0.0.1", "-p", f"{made.port}", "-U", "postgres", "-qc", FILL]
    subprocess.run(argv, check=True, env=environment, timeout=600)
    traces.await_asleep([made.name], instances.PATTERNS)
    _run("sync")


def _in_turns(made: instances.Instance, place: str, rounds: int) -> dict[str, list[float]]:
    """Seconds of each, behind a round of warm-up."""
    beside = f"{os.path.dirname(place)}/beside"
    samples: dict[str, list[float]] = {"backup": [], "copy": [], "cp": [], "cp and sync": []}
    for number in range(rounds + 1):
        took = {"backup": _timed("sockwake", "backup", "--quiet", made.name)}
        _run("sockwake", "backups", "expire", "--keep", "1", made.name)
        where = ["--data", f"{place}-copy", "--keep-password", "--quiet"]
        took["copy"] = _timed("sockwake", "copy", *where, made.name, "copied")
        _run("sockwake", "rm", "--purge", "copied")
        _run("sync")
        took["cp"] = _timed("cp", "--archive", "--reflink=auto", place, beside)
        took["cp and sync"] = took["cp"] + _timed("sync", "--file-system", beside)
        shutil.rmtree(beside)
        _run("sync")
        for what, seconds in took.items() if number else ():
            samples[what].append(seconds)
    return samples


def _waits(made: instances.Instance, rounds: int) -> dict[str, list[float]]:
    """Milliseconds of a psql that wakes it, alone and while a backup has just begun."""
    waits: dict[str, list[float]] = {"alone": [], "during": []}
    for _ in range(rounds):
        for what in waits:
            traces.await_asleep([made.name], instances.PATTERNS)
            backup = threading.Thread(target=_run, args=("sockwake", "backup", "-j", made.name))
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
    return int(_run("du", "--summarize", "--block-size=1", path).split()[0])


def _timed(*argv: str) -> float:
    before = time.perf_counter()
    _run(*argv)
    return time.perf_counter() - before


def _run(*argv: str) -> str:
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=600)
    if done.returncode:
        raise BenchError(f"{' '.join(argv)} failed: {done.stderr.strip()}")
    return done.stdout
