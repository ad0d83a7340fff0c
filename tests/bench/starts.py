"""What a slow start costs, and how long a container is made that ignores its stop signal."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import kinds
import traces
from traces import BenchError

_CLOSED_S, _BUSY_S = 10, 10  # the slow start: no port, then one that answers 503
_SLOW = (
    "rm -f /tmp/up; echo 'server { listen 80 default_server; location / "
    "{ if (!-f /tmp/up) { return 503; } return 200 up; } }' >/etc/nginx/sites-enabled/default; "
    f"sleep {_CLOSED_S}; (sleep {_BUSY_S}; touch /tmp/up) & exec nginx -g 'daemon off;'"
)
_STUBBORN = "nginx; while :; do sleep 1; done"
_BASE = "nginx:local"


def measure(rounds: int) -> dict[str, list[float]]:
    """Processor time in ms of the probe in a start of 20 s; seconds of a sockwake-new."""
    _build("bench-quick", "exec nginx -g 'daemon off;'")
    _build("bench-slow", _SLOW)
    _build("bench-stubborn", _STUBBORN)
    quick, _ = _new("quick")
    slow, _ = _new("slow")
    found: dict[str, list[float]] = {"probe": [], "stubborn": []}
    for number in range(rounds):
        traces.await_quiet()
        found["probe"].append(max(_wake(slow, "slow") - _wake(quick, "quick"), 0.0))
        _, took = _new("stubborn", name=f"stubborn{number}")
        found["stubborn"].append(took)
    print(f"  starts: {found}", file=sys.stderr)
    return found


def _build(image: str, command: str) -> None:
    text = f"FROM {_BASE}\nENTRYPOINT []\nCMD {json.dumps(['/bin/sh', '-c', command])}\n"
    build = ["docker", "build", "--quiet", "--tag", image, "-"]
    done = subprocess.run(build, input=text, check=False, capture_output=True, text=True)
    if done.returncode:
        raise BenchError(f"{' '.join(build)} failed: {done.stderr.strip()[-200:]}")


def _new(kind: str, name: str = "") -> tuple[int, float]:
    """Make an instance of one of the images; its port, and the seconds that took."""
    name = name or kind
    options = f"--kind container --image bench-{kind} --container-port 80 --idle 1s --enable --json"
    before = time.perf_counter()
    done = subprocess.run(
        ["sockwake-new", name, *options.split()], check=False, capture_output=True, text=True
    )
    took = time.perf_counter() - before
    if done.returncode:
        raise BenchError(f"sockwake-new {name} failed: {done.stderr.strip()}")
    traces.await_asleep([name], kinds.PATTERNS)
    return int(json.loads(done.stdout)["port"]), took


def _wake(port: int, name: str) -> float:
    """Wake it; the ms of processor time that its unit took."""
    kinds.ask(port, kinds.HTTP)
    shown = subprocess.run(
        ["systemctl", "show", "--value", "--property=CPUUsageNSec", f"pg-postgres@{name}.service"],
        check=True,
        capture_output=True,
        text=True,
    )
    traces.await_asleep([name], kinds.PATTERNS)
    return int(shown.stdout) / 1e6
