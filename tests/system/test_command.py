"""A program that opens a port or socket of its own sleeps, in a sandbox only its proxy reaches."""

from __future__ import annotations

import os
import re
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from instances import MakeService
from moment import until
from program import must, run
from redis_server import EXEC, ask, server
from squatter import squatting

MOST_EXPOSED = 2.5  # systemd's scale, from 0 to 10
NOBODY = 65534


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
def test_the_program_is_unprivileged_in_a_sandbox(
    service: MakeService, redis: str, place: str
) -> None:
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
    # where the file system can, systemd maps the owner, who is nobody then (id-mapped mounts)
    assert (
        cache.data.stat().st_uid in (uid, NOBODY)
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


def test_client_waits_for_a_program_that_takes_its_time(service: MakeService, redis: str) -> None:
    """Its unit is active and its proxy there long before it answers."""
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


def test_no_client_reaches_another_listener_while_it_sleeps(
    service: MakeService, redis: str
) -> None:
    cache = server(service, redis)
    with squatting() as catch:
        for _ in range(3):
            assert ask(cache, "ping") == "PONG"
            cache.asleep()
    assert catch.ports > 10000 and catch.said == []
