"""Requests aimed at the moment a service of another kind is put to sleep: none is lost."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

import figures
from check_program import CheckProgram
from client import Lost
from instances import MakeService
from program import run
from service import Service
from soak import SOAK
from web import get

REQUESTS = 1000 if SOAK else 30  # for each kind
SIDE_BY_SIDE = 5 if SOAK else 3  # instances
IDLE = 1.0  # seconds; a check is made as often
# after the last answer: before, at and after the check that finds it idle, and in the stop
EARLIEST, LATEST = 0.1, 2 * IDLE + 0.6


def aim(service: Service, ask: Callable[[Service], None], requests: int) -> list[str]:
    """Ask again and again at such moments; returns what was lost."""
    chance, lost = random.Random(service.name), []
    for number in range(requests):
        time.sleep(chance.uniform(EARLIEST, LATEST))  # this is the aiming
        try:
            ask(service)
        except Lost as error:
            figures.count("connections lost")
            lost.append(f"{service}, request {number}: {error}")
    return lost


def web(service: Service) -> None:
    answer = get(service.port)
    if answer.status != 200:
        raise Lost(str(answer))


def redis_ping(service: Service) -> None:
    figures.count("connections made")
    ran = run("redis-cli", "-e", "-p", str(service.port), "ping")
    if ran.out != "PONG\n":
        raise Lost(str(ran))


@pytest.mark.parametrize(
    ("kind", "checked"),
    [
        ("native", True),
        pytest.param("container", True, marks=pytest.mark.soak),
        pytest.param("command", True, marks=pytest.mark.soak),
        pytest.param("container", False, marks=pytest.mark.soak),
        pytest.param("command", False, marks=pytest.mark.soak),
    ],
)
def test_no_request_is_lost_whenever_it_arrives(
    service: MakeService,
    nginx: str,
    redis: str,
    program: str,
    check: CheckProgram,
    kind: str,
    checked: bool,
) -> None:
    options = {
        "native": ("--exec", program),
        "container": ("--image", nginx, "--container-port", "80"),
        "command": ("--exec", f"{redis} --port {{port}}"),
    }[kind]
    ask = redis_ping if kind == "command" else web
    if checked and kind != "native":
        options += ("--check", check('[ "$SOCKWAKE_CONNECTIONS" = 0 ]'))
    services = [
        service(kind, *options, name=f"svc{number}", idle=f"{IDLE:g}s")
        for number in range(1, SIDE_BY_SIDE + 1)
    ]
    # a native program sleeps by its check alone
    requests = REQUESTS // (1 if kind == "native" else 2) // SIDE_BY_SIDE
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        lost = [
            line
            for lines in pool.map(lambda each: aim(each, ask, requests), services)
            for line in lines
        ]
    assert lost == []
    woken = 0
    for each in services:
        each.asleep()
        said = each.journal()
        assert "was already loaded" not in said, "it had no timer of its own"
        woken += said.count("woken by")
    print(f"{requests * SIDE_BY_SIDE} requests, {woken} cold starts")
    assert woken > requests * SIDE_BY_SIDE / 5, "the aim is bad"
