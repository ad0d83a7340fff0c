"""The other kinds beside hand-made units for the same software: cold starts and throughput."""

from __future__ import annotations

import glob
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

import aimed
import instances
import traces
from instances import Instance
from postgres_client import ClientError
from traces import BenchError

HERE = os.path.dirname(os.path.abspath(__file__))
RECIPES = f"{HERE}/recipe/kinds"
WEB_HOME = "/var/lib/recipe-web"
TIMEOUT_S = 60.0
PATTERNS = (*instances.PATTERNS, "pg-check@*", "hand-web*", "hand-redis*")
HTTP, REDIS = b"GET / HTTP/1.0\r\n\r\n", b"*1\r\n$4\r\nPING\r\n"
REQUESTS = {HTTP: b" 200 ", REDIS: b"+PONG"}


@dataclass(frozen=True)
class Kind:
    """One kind: how to make an instance, what to ask it, and the port of the hand-made units."""

    name: str
    options: tuple[str, ...]
    request: bytes
    handmade: str
    handmade_port: int


KINDS = (
    Kind(
        "container", ("--image", "nginx:local", "--container-port", "80"), HTTP, "hand-web", 54401
    ),
    Kind(
        "command",
        ("--exec", "/usr/bin/redis-server --port {port} --dir {data} --save ''"),
        REDIS,
        "hand-redis",
        54402,
    ),
    Kind(
        "native",
        ("--exec", f"/usr/bin/python3 {HERE}/native_server.py"),
        HTTP,
        "hand-native",
        54403,
    ),
)


@dataclass(frozen=True)
class Service(Instance):
    """An instance of one of these kinds."""

    request: bytes = HTTP
    native: bool = False

    @property
    def holder(self) -> str:
        return self.backend if self.native else self.proxy

    def ask(self) -> None:
        ask(self.port, self.request)


def make(kind: Kind, name: str, *options: str) -> Service:
    """Make an instance that sleeps after a second, and wait until it does."""
    sleeps = "--idle 1s --enable --json".split()
    command = ["sockwake-new", name, "--kind", kind.name, *kind.options, *options, *sleeps]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise BenchError(f"{' '.join(command)} failed: {done.stderr.strip()}")
    traces.await_asleep([name], PATTERNS)
    return Service(name, json.loads(done.stdout)["port"], "", kind.request, kind.name == "native")


def ask(port: int, request: bytes) -> float:
    """Milliseconds from connecting to the right answer; raises ClientError for any other."""
    before = time.perf_counter()
    answer = b""
    try:
        with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as connection:
            connection.sendall(request)
            while REQUESTS[request] not in answer:
                chunk = connection.recv(4096)
                if not chunk:
                    raise ClientError(f"the connection ended with {answer[:100]!r}")
                answer += chunk
    except OSError as error:
        raise ClientError(str(error)) from None
    return 1000 * (time.perf_counter() - before)


def measure(rounds: int, wanted: int) -> dict[str, Any]:
    """By kind: cold starts in ms, requests per second awake, and the failures of aimed requests."""
    _install()
    found: dict[str, Any] = {}
    for kind in KINDS:
        service = make(kind, f"{kind.name}1")
        by_engine = None
        if kind.name == "container":
            by_engine = make(kind, "by-engine", "--runtime", "engine", "--network", "none")
        found[kind.name] = _cold(kind, service, by_engine, rounds) | {
            "throughput": _throughput(kind, service)
        }
        crowd = [make(kind, f"{kind.name}{number}") for number in range(2, 12)]
        found[kind.name]["aimed"] = aimed.attack(
            crowd, wanted, exit_spread=1.2 if service.native else aimed.EXIT_SPREAD_S
        )
    return found


def _cold(kind: Kind, service: Service, by_engine: Service | None, rounds: int) -> dict[str, Any]:
    """Cold starts, taking turns; by_engine: the same instance, woken by an engine."""
    ports = {"sockwake": service.port, "handmade": kind.handmade_port}
    if by_engine:
        ports["engine"] = by_engine.port
    samples: dict[str, list[float]] = {contestant: [] for contestant in ports}
    failures: dict[str, list[str]] = {contestant: [] for contestant in ports}
    names = [each.name for each in (service, by_engine) if each]
    for number in range(rounds + 1):
        for contestant, port in ports.items():
            subprocess.run(
                ["systemctl", "stop", "hand-native.service"], check=False, capture_output=True
            )
            subprocess.run(
                ["systemctl", "start", f"{kind.handmade}.socket"], check=True, capture_output=True
            )
            traces.await_asleep(names, PATTERNS)
            traces.await_quiet()
            try:
                took = ask(port, kind.request)
            except ClientError as error:
                failures[contestant].append(str(error))
            else:
                if number:
                    samples[contestant].append(took)
    rounded = {contestant: [round(took) for took in each] for contestant, each in samples.items()}
    print(f"  {kind.name}: {rounded}", file=sys.stderr)
    return {"samples": samples, "failures": failures}


def _throughput(kind: Kind, service: Service) -> dict[str, list[float]]:
    """Requests per second over eight connections, a new one for each request of HTTP; in turns."""
    figures: dict[str, list[float]] = {"sockwake": [], "handmade": []}
    for number in range(3):
        for contestant, port in (("sockwake", service.port), ("handmade", kind.handmade_port)):
            _await_answer(kind, port)
            rate = _redis_rate(port) if kind.request == REDIS else _http_rate(port)
            if number:
                figures[contestant].append(rate)
    return figures


def _await_answer(kind: Kind, port: int) -> None:
    """Wake it. Hand-made units refuse clients while they stop, and may lose their port for good."""
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        try:
            ask(port, kind.request)
            return
        except ClientError:
            if time.monotonic() > deadline:
                raise
            subprocess.run(["systemctl", "start", f"{kind.handmade}.socket"], check=False)
            time.sleep(0.1)


def _http_rate(port: int) -> float:
    said = _run("ab", "-q", "-n", "4000", "-c", "8", f"http://127.0.0.1:{port}/")
    failed = re.search(r"Failed requests: +(\d+)", said)
    rate = re.search(r"Requests per second: +([0-9.]+)", said)
    if not rate or not failed or failed[1] != "0":
        raise BenchError(f"ab on port {port}: {said.strip()[-200:]}")
    return float(rate[1])


def _redis_rate(port: int) -> float:
    said = _run("redis-benchmark", "-p", str(port), "-t", "get", "-n", "20000", "-c", "8", "--csv")
    return float(said.strip().splitlines()[-1].split(",")[1].strip('"'))


def _run(*command: str) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=TIMEOUT_S)
    if done.returncode:
        raise BenchError(f"{command[0]} failed: {done.stderr.strip()[-200:]}")
    return done.stdout


def _install() -> None:
    os.makedirs(WEB_HOME, exist_ok=True)
    shutil.copy(f"{RECIPES}/web.yaml", f"{WEB_HOME}/compose.yaml")
    for unit in (*glob.glob(f"{RECIPES}/*.socket"), *glob.glob(f"{RECIPES}/*.service")):
        shutil.copy(unit, "/etc/systemd/system")
    subprocess.run(["systemctl", "daemon-reload"], check=True)
