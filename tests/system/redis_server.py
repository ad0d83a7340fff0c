"""A redis, a program that opens a port or a socket of its own, as an instance under test."""

from __future__ import annotations

import pytest

import figures
from client import Lost
from instances import MakeService
from moment import until
from program import run
from refusal import ASLEEP_OR_FAILED
from service import Service

_SAVES = "--dir {{data}} --save '3600 1'"
EXEC = {
    "port": "{redis} --port {{port}} --bind 127.0.0.1 --daemonize no " + _SAVES,
    "socket": "{redis} --port 0 --unixsocket {{socket}} " + _SAVES,
}


def server(
    service: MakeService, redis: str, *options: str, place: str = "port", **more: object
) -> Service:
    return service("command", "--exec", EXEC[place].format(redis=redis), *options, **more)


def ask(cache: Service, *words: str, where: str = "") -> str:
    """What redis answers on a connection of its own; raises Lost when it does not."""
    figures.count("connections made")
    place = ("-s", where) if where else ("-h", "127.0.0.1", "-p", str(cache.port))
    ran = run("redis-cli", "-e", *place, *words)
    if ran.status:
        raise Lost(str(ran))
    return ran.out.strip()


def unserved(cache: Service, reason: str) -> None:
    """Assert that a client is closed, that ls and journal have the reason, and nothing runs."""
    with pytest.raises(Lost):
        ask(cache, "ping")
    until("its failure is listed", lambda: reason in str(cache.ls().get("error", "")))
    cache.asleep(backend=ASLEEP_OR_FAILED)
    assert reason in cache.journal()


def served(cache: Service) -> None:
    """Assert that a client is served, and that the instance sleeps without an error after it."""
    assert ask(cache, "ping") == "PONG"
    cache.asleep()
    assert "error" not in cache.ls()
