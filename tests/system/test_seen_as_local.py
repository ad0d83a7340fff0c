"""Behind the proxy every client is local to the server, which is said where others can connect."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from instances import MakeService
from moment import until
from program import Ran, must, run, start
from project import MakeProject
from redis_server import EXEC, server

OTHER = "192.0.2.7"
SAID = "the server takes it for a client on localhost (--allow, or a password in the server)"


@pytest.fixture
def other() -> Iterator[str]:
    """An address beyond the loopback, from which every client comes that connects to it."""
    must("ip", "address", "add", f"{OTHER}/32", "dev", "lo")
    yield OTHER
    must("ip", "address", "del", f"{OTHER}/32", "dev", "lo")


def ping(address: str, port: int) -> Ran:
    return run("redis-cli", "-h", address, "-p", str(port), "ping")


def refuses(redis: str, address: str) -> bool:
    """Whether this redis, by itself, serves no client of another address without a password."""
    alone = start(redis, "--port", "6399", "--bind", address, "--save", "")
    try:
        until("it listens", lambda: "refused" not in ping(address, 6399).err)
        return "protected mode" in ping(address, 6399).out
    finally:
        alone.terminate()
        alone.communicate()


@pytest.mark.parametrize("place", EXEC)
def test_a_server_that_trusts_localhost_serves_every_client_and_that_is_said(
    service: MakeService, redis: str, other: str, place: str
) -> None:
    assert refuses(redis, other)
    cache = server(service, redis, "--listen", other, place=place)
    assert f"warning: it listens on {other}: " in cache.made.err and SAID in cache.made.err
    assert str(cache.ls()["warning"]) in cache.made.err
    assert ping(other, cache.port).out == "PONG\n"
    cache.asleep()


def test_the_servers_of_a_project_see_a_gateway_and_that_is_said(project: MakeProject) -> None:
    shop = project("wide")
    said = "the servers see their engine's gateway as the client (--allow, or a password in"
    assert said in shop.made.err and said in str(shop.ls()["warning"])
