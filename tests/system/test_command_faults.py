"""A program that cannot start or is killed: clients are told, and the next one is served."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from pathlib import Path

import pytest

from client import Lost
from instances import KnowService, MakeService
from moment import until
from program import must, run
from redis_server import EXEC, ask, served, server, unserved
from refusal import ASLEEP_OR_FAILED
from service import Service
from squatter import squatting


@pytest.mark.fault
def test_killed_under_its_clients(service: MakeService, redis: str) -> None:
    cache = server(service, redis, idle="10min")
    with socket.create_connection(("127.0.0.1", cache.port), 30) as client:
        client.sendall(b"PING\r\n")
        assert client.recv(100) == b"+PONG\r\n"
        proxy = cache.main_pid(cache.proxy)
        cache.kill(cache.backend)
        client.settimeout(30)
        with contextlib.suppress(ConnectionError):
            assert client.recv(100) == b"", "the client was not let go"
    until("its proxy has gone", lambda: cache.main_pid(cache.proxy) != proxy)
    assert ask(cache, "ping") == "PONG"
    must("systemctl", "stop", cache.proxy)
    cache.asleep()


@pytest.mark.fault
@pytest.mark.parametrize("place", EXEC)
def test_program_that_ends_at_once(service: MakeService, redis: str, place: str) -> None:
    cache = server(service, redis, place=place)
    cache.edit("service.conf", "--dir", "--no-such-thing 1 --dir")
    must("systemctl", "daemon-reload")
    unserved(cache, "its program ended with status 1")
    cache.edit("service.conf", "--no-such-thing 1 --dir", "--dir")
    must("systemctl", "daemon-reload")
    served(cache)


@pytest.mark.fault
def test_program_that_ends_well_before_it_was_ready(service: MakeService, redis: str) -> None:
    cache = server(service, redis)
    cache.edit("service.conf", f"ExecStart={redis} ", "ExecStart=/bin/true ")
    must("systemctl", "daemon-reload")
    unserved(cache, "its program ended with status 0")
    for _ in range(5):  # nothing wants it, so that its stop is asked for at once
        run("sockwake", "wake", "svc1").expect(1, "its program ended with status 0")
    cache.edit("service.conf", "ExecStart=/bin/true ", f"ExecStart={redis} ")
    must("systemctl", "daemon-reload")
    served(cache)


@pytest.mark.fault
@pytest.mark.parametrize(
    ("place", "told", "reason"),
    [
        ("port", "--port 1{port}", "its server did not answer on port {port} within 2 s"),
        (
            "socket",
            "--unixsocket /run/sockwake-svc1/else",
            "its program has made no socket /run/sockwake-svc1/socket within 2 s",
        ),
    ],
)
def test_program_that_never_listens_where_it_should(
    service: MakeService, redis: str, place: str, told: str, reason: str
) -> None:
    cache = server(service, redis, place=place)
    right = (
        f"--port {cache.setting('BACKEND_PORT')}"
        if place == "port"
        else "--unixsocket /run/sockwake-svc1/socket"
    )
    wrong = told.format(port=cache.setting("BACKEND_PORT")[:4])
    cache.edit("service.conf", right, wrong)
    cache.edit("instance.env", "IDLE=1s\n", "IDLE=1s\nSTART_TIMEOUT=2s\n")
    must("systemctl", "daemon-reload")
    unserved(cache, reason.format(port=cache.setting("BACKEND_PORT")))
    cache.edit("service.conf", wrong, right)
    cache.edit("instance.env", "START_TIMEOUT=2s\n", "")
    must("systemctl", "daemon-reload")
    served(cache)


@pytest.mark.fault
def test_program_that_is_gone(service: MakeService, redis: str) -> None:
    copy = Path("/usr/local/bin/redis-of-the-tests")
    must("cp", redis, str(copy))
    try:
        cache = server(service, str(copy))
        copy.rename("/usr/local/bin/redis-put-aside")
        unserved(cache, "its program cannot be run")
        Path("/usr/local/bin/redis-put-aside").rename(copy)
        served(cache)
    finally:
        run("rm", "-f", str(copy), "/usr/local/bin/redis-put-aside")


@pytest.mark.fault
@pytest.mark.parametrize("place", EXEC)
def test_program_whose_user_is_gone(service: MakeService, redis: str, place: str) -> None:
    """systemd runs nothing at all in a unit whose user it does not know, not even as root."""
    must("useradd", "--system", "of-the-tests")
    try:
        cache = server(service, redis, "--run-as", "of-the-tests", place=place)
        served(cache)
        must("userdel", "of-the-tests")
        for _ in range(2):
            with pytest.raises(Lost):
                ask(cache, "ping")
        why = "its program cannot be run: Failed to determine "
        until("its failure is listed", lambda: why in str(cache.ls().get("error", "")))
        cache.asleep(backend=ASLEEP_OR_FAILED)
        must("useradd", "--system", "of-the-tests")
        must("chown", "--recursive", "of-the-tests", str(cache.data))
        served(cache)
    finally:
        run("userdel", "of-the-tests")


def test_an_instance_that_cannot_start_is_not_made(known_service: KnowService, redis: str) -> None:
    known_service("svc1")
    run(
        "sockwake-new", "svc1", "--kind", "command", "--exec", f"{redis} --no-such-thing {{port}}"
    ).expect(1, "sockwake: error: instance 'svc1' cannot start: its program ended with status 1: ")
    assert not Path("/etc/sockwake/svc1").exists()


@pytest.mark.fault
def test_on_the_hosts_network_another_program_on_its_port_is_noticed(
    service: MakeService, redis: str
) -> None:
    slowly = f"/bin/sh -c 'sleep 1; exec {EXEC['port'].format(redis=redis)}'".replace(
        "'3600 1'", '"3600 1"'
    )
    cache = service("command", "--network", "host", "--exec", slowly)
    port = int(cache.setting("BACKEND_PORT"))
    assert port != cache.port
    served(cache)
    with squatting(range(port, port + 1)) as catch:
        assert catch.ports == 1
        unserved(cache, f"port {port} is in use by another program (process ")
    assert catch.said, "the stranger was not even asked"
    assert "ping" not in "".join(catch.said).lower()
    served(cache)


def monitors(cache: Service) -> list[int]:
    """The processes of its client monitor."""
    return [int(line.split()[0]) for line in cache.processes() if "/watcher --program" in line]


@pytest.mark.fault
def test_the_client_monitor_ends_with_its_program_and_may_be_killed(
    service: MakeService, redis: str
) -> None:
    cache = server(service, redis)
    for _ in range(3):
        assert ask(cache, "ping") == "PONG"
        until("its client monitor runs", lambda: len(monitors(cache)) == 1)
        cache.asleep()
    assert ask(cache, "ping") == "PONG"
    until("its client monitor runs", lambda: len(monitors(cache)) == 1)
    os.kill(monitors(cache)[0], signal.SIGKILL)
    cache.asleep()
    served(cache)
    assert "Killing process" not in cache.journal()
