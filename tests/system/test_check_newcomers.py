"""Clients that connect or speak while a check decides are served, although it has not seen them."""

from __future__ import annotations

import socket

from check_program import CheckProgram
from held import held_up
from instances import MakeService
from program import run
from web import get

SILENT_AND_DECIDES_SLOWLY = "[ $SOCKWAKE_SILENT -ge 2 ] || exit 1; touch deciding; sleep 1; exit 0"
DECIDES_SLOWLY = "[ $SOCKWAKE_CONNECTIONS = 0 ] || exit 1; touch deciding; sleep 1; exit 0"


def test_a_client_that_connects_during_a_check_is_served_through_the_proxy(
    service: MakeService, redis: str, check: CheckProgram
) -> None:
    cache = service(
        "command", "--exec", f"{redis} --port {{port}}", "--check", check(DECIDES_SLOWLY), idle="5s"
    )
    ask = ("redis-cli", "-e", "-p", str(cache.port))
    run(*ask, "ping").expect(0, "PONG")
    check.await_note("deciding")
    run(*ask, "blpop", "nothing", "3").expect(0)
    check("exit 0")
    cache.asleep()


def test_a_silent_client_that_speaks_during_a_check_is_served(
    service: MakeService, redis: str, check: CheckProgram
) -> None:
    cache = service(
        "command", "--exec", f"{redis} --port {{port}}", "--check", check(SILENT_AND_DECIDES_SLOWLY)
    )
    with socket.create_connection(("127.0.0.1", cache.port), 30) as client:
        client.sendall(b"PING\r\n")
        assert client.recv(100) == b"+PONG\r\n"
        check.await_note("deciding")
        client.sendall(b"BLPOP nothing 3\r\n")
        assert client.recv(100) == b"*-1\r\n"
    check("exit 0")
    cache.asleep()


def test_a_client_that_connects_during_a_check_is_served_by_the_program_itself(
    service: MakeService, program: str, check: CheckProgram
) -> None:
    web = service("native", "--exec", program, "--check", check(DECIDES_SLOWLY))
    get(web.port)
    check.await_note("deciding")
    assert get(web.port, "/hold/3").status == 200
    check("exit 0")
    web.asleep()


def test_a_silent_client_that_speaks_during_a_check_is_served_by_the_program_itself(
    service: MakeService, program: str, check: CheckProgram
) -> None:
    web = service("native", "--exec", program, "--check", check(SILENT_AND_DECIDES_SLOWLY))
    with socket.create_connection(("127.0.0.1", web.port), 30) as client:
        check.await_note("deciding")
        client.sendall(b"GET /hold/3 HTTP/1.0\r\n\r\n")
        assert b" 200 OK" in client.recv(1000)
    check("exit 0")
    web.asleep()


def test_an_instance_held_awake_when_its_check_lets_go_is_checked_again(
    service: MakeService, redis: str, check: CheckProgram
) -> None:
    """As by a client that connects in the milliseconds in which the timer ends."""
    cache = service("command", "--exec", f"{redis} --port {{port}}", "--check", check("exit 0"))
    with held_up(cache):
        run("redis-cli", "-e", "-p", str(cache.port), "ping").expect(0, "PONG")
        check.await_asked(3)
        assert cache.is_awake()
    cache.asleep()
