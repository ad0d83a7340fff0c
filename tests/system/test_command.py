"""A program that opens a port or a socket of its own sleeps, in a sandbox that no one but its proxy reaches into."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import figures
from client import Lost
from conftest import KnowService, MakeService
from moment import until
from program import must, run
from refusal import ASLEEP_OR_FAILED
from service import Service
from squatter import squatting

EXEC = {
    "port": "{redis} --port {{port}} --bind 127.0.0.1 --dir {{data}} --save '3600 1' --daemonize no",
    "socket": "{redis} --port 0 --unixsocket {{socket}} --dir {{data}} --save '3600 1'",
}
MOST_EXPOSED = 2.5  # systemd's scale, from 0 to 10


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


def listeners() -> set[str]:
    return {line.split()[3] for line in must("ss", "-Hltn").splitlines()}


@pytest.mark.parametrize("place", EXEC)
def test_data_survive_the_sleep_and_no_port_is_open_but_the_front(
    service: MakeService, redis: str, place: str
) -> None:
    before = listeners()
    cache = server(service, redis, place=place)
    assert cache.processes() == []
    assert ask(cache, "set", "kept", "since") == "OK"
    for _ in range(2):
        assert listeners() - before == {f"127.0.0.1:{cache.port}"}
        assert len(cache.processes()) >= 2, "the search for processes finds none"
        cache.asleep()
        assert ask(cache, "get", "kept") == "since"
    cache.asleep()
    assert f"/run/sockwake/{cache}" not in Path("/proc/mounts").read_text()
    assert not Path(f"/run/sockwake-{cache}").exists()


@pytest.mark.parametrize("place", EXEC)
def test_program_is_nobody_in_a_sandbox(service: MakeService, redis: str, place: str) -> None:
    cache = server(service, redis, place=place, idle="10min")
    assert ask(cache, "ping") == "PONG"
    pid = cache.main_pid(cache.backend)
    status = Path(f"/proc/{pid}/status").read_text()
    uid = int(re.findall(r"^Uid:\s+(\d+)", status, re.MULTILINE)[0])
    assert 61184 <= uid <= 65519, "systemd's dynamic users (systemd.exec(5))"
    for line in (r"^CapEff:\s+0+$", r"^CapBnd:\s+0+$", r"^NoNewPrivs:\s+1$", r"^Seccomp:\s+2$"):
        assert re.search(line, status, re.MULTILINE), line
    assert must("nsenter", f"--target={pid}", "--net", "ip", "-brief", "link").split()[0::4][
        :1
    ] == ["lo"]
    assert cache.exposure(cache.backend) <= MOST_EXPOSED
    assert cache.exposure(cache.proxy) <= 1.5
    assert (
        cache.data.stat().st_uid == uid
        and stat.S_IMODE(cache.data.stat().st_mode) == 0o755 & cache.data.stat().st_mode
    )
    assert run("ls", f"{cache.data}/", user="nobody").status != 0
    must("systemctl", "stop", cache.proxy)
    cache.asleep()


def test_a_dozen_at_once_onto_a_sleeping_one(service: MakeService, redis: str) -> None:
    cache = server(service, redis)
    cache.asleep()
    with ThreadPoolExecutor(12) as pool:
        assert list(pool.map(lambda _: ask(cache, "ping"), range(12))) == ["PONG"] * 12
    assert cache.journal().count("woken by 127.0.0.1:") == 1
    cache.asleep()


def test_run_as_a_user_of_the_machine(service: MakeService, redis: str) -> None:
    cache = server(service, redis, "--run-as", "redis", idle="10min")
    assert ask(cache, "set", "a", "b") == "OK"
    assert Path(f"/proc/{cache.main_pid(cache.backend)}").owner() == "redis"
    assert cache.data.owner() == "redis"
    must("systemctl", "stop", cache.proxy)
    cache.asleep()
    assert ask(cache, "get", "a") == "b"
    must("systemctl", "stop", cache.proxy)
    cache.asleep()


def test_unix_socket_in_front_has_the_owner_and_mode_asked_for(
    service: MakeService, redis: str
) -> None:
    front = "/run/cache-of-the-tests.sock"
    cache = server(
        service, redis, "--listen", front, "--socket-user", "redis", "--socket-mode", "0600"
    )
    found = os.stat(front)
    assert (Path(front).owner(), stat.filemode(found.st_mode)) == ("redis", "srw-------")
    for _ in range(2):
        said = run("redis-cli", "-s", front, "ping", user="redis").expect(0).out
        assert said == "PONG\n"
        cache.asleep()
    assert "ermission denied" in str(run("redis-cli", "-s", front, "ping", user="nobody"))
    must("systemctl", "stop", cache.socket)
    assert not os.path.exists(front)


def test_rm_keeps_the_data_and_purge_deletes_them(service: MakeService, redis: str) -> None:
    cache = server(service, redis)
    assert ask(cache, "set", "kept", "since") == "OK"
    cache.asleep()
    run("sockwake", "rm", "svc1").expect(0, "left the data in /var/lib/sockwake/svc1")
    again = server(service, redis)
    assert ask(again, "get", "kept") == "since"
    again.asleep()
    run("sockwake", "rm", "svc1", "--purge").expect(0, "deleted the data in /var/lib/sockwake/svc1")
    assert not os.path.lexists("/var/lib/sockwake/svc1") and not os.path.exists(
        "/var/lib/private/sockwake/svc1"
    )


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
    cache.edit("service.conf", "ExecStart=/bin/true ", f"ExecStart={redis} ")
    must("systemctl", "daemon-reload")
    served(cache)


def test_client_waits_for_a_program_that_takes_its_time(service: MakeService, redis: str) -> None:
    """Whose unit is active all the while, and whose proxy is there."""
    cache = server(service, redis)
    cache.edit(
        "service.conf",
        f"ExecStart={redis} ",
        f'ExecStart=/bin/sh -c \'sleep 5; exec "$$0" "$$@"\' {redis} ',
    )
    must("systemctl", "daemon-reload")
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(ask, cache, "ping")
        until("its proxy waits", lambda: cache.main_pid(cache.proxy) and cache.is_awake())
        assert cache.ls()["state"] == "waking" and not answer.done()
        assert answer.result(30) == "PONG"
    cache.asleep()


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


def test_one_that_cannot_start_is_not_made(known_service: KnowService, redis: str) -> None:
    known_service("svc1")
    run(
        "sockwake-new", "svc1", "--kind", "command", "--exec", f"{redis} --no-such-thing {{port}}"
    ).expect(1, "sockwake: error: instance 'svc1' cannot start: its program ended with status 1: ")
    assert not Path("/etc/sockwake/svc1").exists()


def test_no_client_ever_reaches_who_listens_while_it_sleeps(
    service: MakeService, redis: str
) -> None:
    cache = server(service, redis)
    with squatting() as catch:
        for _ in range(3):
            assert ask(cache, "ping") == "PONG"
            cache.asleep()
    assert catch.ports > 10000 and catch.said == []


@pytest.mark.fault
def test_on_the_hosts_network_a_stranger_on_its_port_is_noticed(
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


def lookouts(cache: Service) -> list[int]:
    """Who looks after its clients."""
    return [int(line.split()[0]) for line in cache.processes() if "/watcher --program" in line]


@pytest.mark.fault
def test_who_looks_after_its_clients_ends_with_it_and_may_be_killed(
    service: MakeService, redis: str
) -> None:
    cache = server(service, redis)
    for _ in range(3):
        assert ask(cache, "ping") == "PONG"
        until("somebody looks after its clients", lambda: len(lookouts(cache)) == 1)
        cache.asleep()
    assert ask(cache, "ping") == "PONG"
    until("somebody looks after its clients", lambda: len(lookouts(cache)) == 1)
    os.kill(lookouts(cache)[0], signal.SIGKILL)
    cache.asleep()
    served(cache)
    assert "Killing process" not in cache.journal()
