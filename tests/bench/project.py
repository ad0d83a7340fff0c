"""Cold starts of a compose project of two services, beside `compose up -d --wait`, in turns."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from typing import Any

import instances
import kinds
import traces
from postgres_client import ClientError
from traces import BenchError

SOURCE = os.path.join(kinds.HERE, "../system/projects/two-services/compose.yaml")
NAME = "two-services"
BY_HAND = "/srv/two-services-by-hand"
ASLEEP_AND_BY_HAND = (f"/srv/{NAME}", "8093:80"), (BY_HAND, "58093:80")
PATTERNS = (*instances.PATTERNS, "pg-check@*")
TIMEOUT_S = 120.0


def measure(rounds: int) -> dict[str, Any]:
    """rounds of both in turn, behind a round of warm-up. Milliseconds, and what failed."""
    for directory, published in ASLEEP_AND_BY_HAND:
        _lay_out(directory, published)
    _compose("up", "--detach", "--wait")
    _compose("stop")
    port = _make()
    samples: dict[str, list[float]] = {"sockwake": [], "compose": []}
    failures: list[str] = []
    for number in range(rounds + 1):
        for contestant in samples:
            traces.await_asleep([NAME], PATTERNS)
            traces.await_quiet()
            try:
                took = kinds.ask(port, kinds.HTTP) if contestant == "sockwake" else _up_ms()
            except ClientError as error:
                failures.append(str(error))
            else:
                if number:
                    samples[contestant].append(took)
    rounded = {contestant: [round(took) for took in each] for contestant, each in samples.items()}
    print(f"  project: {rounded}", file=sys.stderr)
    return {"samples": samples, "failures": failures}


def _lay_out(directory: str, published: str) -> None:
    """The project as an administrator would have it, with these ports published."""
    os.makedirs(directory, mode=0o755)
    shutil.copy(SOURCE, directory)
    path = f"{directory}/compose.yaml"
    text = traces.read(path)
    if "8093:80" not in text:
        raise BenchError(f"{SOURCE} publishes another port")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text.replace("8093:80", published))


def _make() -> int:
    """The project as an instance that sleeps after a second; returns its port."""
    command = ["sockwake-new", NAME, "--kind", "container", "--compose", f"/srv/{NAME}"]
    command += "--idle 1s --enable --json".split()
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise BenchError(f"{' '.join(command)} failed: {done.stderr.strip()}")
    return int(json.loads(done.stdout)["port"])


def _up_ms() -> float:
    """Milliseconds until compose has started the containers that exist, and found them healthy."""
    before = time.perf_counter()
    _compose("up", "--detach", "--wait")
    took = time.perf_counter() - before
    _compose("stop")
    return 1000 * took


def _compose(*arguments: str) -> None:
    done = subprocess.run(
        ["docker-compose", *arguments],
        check=False,
        cwd=BY_HAND,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    if done.returncode:
        raise BenchError(f"docker-compose {arguments[0]} failed: {done.stderr.strip()}")
