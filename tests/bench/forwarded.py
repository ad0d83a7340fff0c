"""What a forward costs while it carries connections: pgbench through it against direct."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from typing import Any

import instances
from traces import BenchError

_BINARIES = "/usr/lib/postgresql/17/bin"
_PORT = 25700
_CLIENTS = ("1", "8")
_RATE = re.compile(r"^tps = ([\d.]+)", re.MULTILINE)


def measure(rounds: int, seconds: int) -> dict[str, Any]:
    """Selects per second over TCP, to a server itself and by the port that leads to it.

    rounds: of both, taking turns, behind one that is not counted. seconds: of each.
    """
    instance = instances.make("leaver")
    with tempfile.TemporaryDirectory(prefix="forwarded-") as base:
        data = f"{base}/data"
        _run("chown", "postgres:", base)
        options = ["-U", "postgres", "--auth=trust", "--no-sync"]
        _as_postgres(f"{_BINARIES}/initdb", "-D", data, *options)
        start = f"-p {_PORT} -k {base} -c listen_addresses=127.0.0.1"
        _as_postgres(f"{_BINARIES}/pg_ctl", "-D", data, "-o", start, "-l", f"{base}/log", "start")
        try:
            _run(*_pgbench(_PORT), "--initialize", "--quiet", "--scale=10")
            _run("sockwake", "forward", instance.name, f"127.0.0.1:{_PORT}")
            ports = {"direct": _PORT, "forward": instance.port}
            return {
                "rates": {count: _in_turns(ports, rounds, seconds, count) for count in _CLIENTS}
            }
        finally:
            _run("sockwake", "forward", "--back", "--force", instance.name)
            _as_postgres(f"{_BINARIES}/pg_ctl", "-D", data, "-m", "immediate", "stop")


def _in_turns(
    ports: dict[str, int], rounds: int, seconds: int, clients: str
) -> dict[str, list[float]]:
    rates: dict[str, list[float]] = {name: [] for name in ports}
    for number in range(rounds + 1):
        for name, port in ports.items():
            options = ["--select-only", "--no-vacuum", f"--time={seconds}", f"--client={clients}"]
            said = _run(*_pgbench(port), *options)
            rate = _RATE.search(said)
            if not rate:
                raise BenchError(f"pgbench said no rate: {said}")
            if number:
                rates[name].append(float(rate[1]))
    return rates


def _pgbench(port: int) -> tuple[str, ...]:
    return (f"{_BINARIES}/pgbench", "-h", "127.0.0.1", "-p", str(port), "-U", "postgres")


def _as_postgres(*command: str) -> str:
    return _run("runuser", "-u", "postgres", "--", *command)


def _run(*command: str) -> str:
    ran = subprocess.run(
        command,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd="/",
        env={**os.environ, "PGDATABASE": "postgres"},
    )
    if ran.returncode:
        raise BenchError(f"{' '.join(command)}: {ran.stdout}")
    return ran.stdout
