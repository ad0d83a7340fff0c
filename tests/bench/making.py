"""sockwake-new --no-provision among 1, 100 and 1,000 instances."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from typing import Any

import crowd
import traces
from traces import BenchError

COUNTS = (1, 100, 1000)
MODEL = "model"


def measure(rounds: int) -> dict[str, Any]:
    """Milliseconds per number of instances present; the numbers take turns."""
    model = make_model()
    folders = {count: f"/etc/sockwake-of-{count}" for count in COUNTS}
    for count, folder in folders.items():
        crowd.build(folder, count, model)
    samples: dict[str, list[float]] = {str(count): [] for count in COUNTS}
    for number in range(rounds + 1):
        traces.await_quiet()
        for count, folder in folders.items():
            with crowd.present(folder):
                took = _sockwake_new("probe")
                shutil.rmtree(f"{crowd.ETC}/probe")
            if number:
                samples[str(count)].append(took)
    for folder in folders.values():
        shutil.rmtree(folder)
    print(
        "  " + ", ".join(f"{count}: {min(took):.0f} ms" for count, took in samples.items()),
        file=sys.stderr,
    )
    return {"samples": samples}


def make_model() -> str:
    """The files of an instance that was never provisioned, aside."""
    _sockwake_new(MODEL)
    folder = f"/var/tmp/{MODEL}"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.move(f"{crowd.ETC}/{MODEL}", folder)
    return folder


def _sockwake_new(name: str) -> float:
    before = time.perf_counter()
    done = subprocess.run(
        ["sockwake-new", name, "--version", "18", "--no-provision", "--quiet"],
        check=False,
        capture_output=True,
        text=True,
    )
    took = time.perf_counter() - before
    if done.returncode:
        raise BenchError(f"sockwake-new {name} failed: {done.stderr.strip()}")
    return 1000 * took
