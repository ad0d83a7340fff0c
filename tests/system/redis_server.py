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

EXEC = {
    "port": "{redis} --port {{port}} --bind 127.0.0.1 --dir {{data}} --save '3600 1' --daemonize no",
    "socket": "{redis} --port 0 --unixsocket {{socket}} --dir {{data}} --save '3600 1'",
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
    """The client's connection is closed; the reason is where an administrator looks, and nothing is left running."""
    with pytest.raises(Lost):
        ask(cache, "ping")
    until("its failure is listed", lambda: reason in str(cache.ls().get("error", "")))
    assert reason in cache.journal()
    cache.asleep(backend=ASLEEP_OR_FAILED)


def served(cache: Service) -> None:
    assert ask(cache, "ping") == "PONG"
    cache.asleep()
    assert "error" not in cache.ls()
