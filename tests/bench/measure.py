"""Measure inside the guest, and print it all as JSON; progress goes to stderr."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import aimed
import awake
import cold
import copies
import engineless
import forwarded
import kinds
import making
import project
import python_cost
import starts
import traces
import upgrading

PARTS: dict[str, Callable[[bool], dict[str, Any]]] = {
    "cold": lambda quick: cold.measure(3 if quick else 21, 5 if quick else 100),
    "aimed": lambda quick: aimed.measure(16 if quick else 200),
    "awake": lambda quick: awake.measure(2 if quick else 5),
    "engineless": lambda quick: engineless.measure(3 if quick else 20),
    "asleep": lambda quick: awake.measure_asleep(),
    "python": lambda quick: python_cost.measure(10 if quick else 60),
    "kinds": lambda quick: (
        kinds.measure(2 if quick else 16, 12 if quick else 200)
        | {"starts": starts.measure(1 if quick else 3)}
    ),
    "project": lambda quick: project.measure(2 if quick else 11),
    "upgrade": lambda quick: upgrading.measure(1 if quick else 3),
    "forward": lambda quick: forwarded.measure(1 if quick else 5, 2 if quick else 5),
    "copies": lambda quick: copies.measure(2 if quick else 5),
    "making": lambda quick: making.measure(2 if quick else 7),
}


def describe() -> dict[str, str]:
    """The machine, as far as it explains the figures."""
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in traces.read("/proc/cpuinfo").splitlines()
            if "model name" in line
        ),
        "",
    )
    return {
        "cores": str(os.cpu_count()),
        "processor": model,
        "memory": f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GB",
        "kernel": platform.release().split("-")[0],
        "systemd": _said("systemctl", "--version").split()[1],
        "docker": _said("docker", "version", "--format", "{{.Server.Version}}").split("+")[0],
        "compose": _said("docker-compose", "version", "--short").split("-")[0],
        "psql": _said("psql", "--version").split()[2],
        "PostgreSQL": _said(
            "docker", "run", "--rm", "--network=none", "postgres:18", "postgres", "--version"
        ).split()[2],
        "Python": platform.python_version(),
        "sockwake": _said("dpkg-query", "--show", "--showformat=${Version}", "sockwake"),
    }


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def main() -> int:
    """Measure what was asked for, in the order of PARTS."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", action="append", choices=PARTS)
    arguments = parser.parse_args()
    results: dict[str, Any] = {"machine": describe(), "load": [os.getloadavg()[0]]}
    try:
        for name, part in PARTS.items():
            if not arguments.only or name in arguments.only:
                print(f"{name} …", file=sys.stderr)
                before = time.monotonic()
                results[name] = part(arguments.quick) | {"took_s": time.monotonic() - before}
    except traces.BenchError as error:
        print(f"bench: error: {error}", file=sys.stderr)
        return 1
    results["load"].append(os.getloadavg()[0])
    json.dump(results, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
