"""--check PROGRAM: only its exit status 0 lets the instance sleep."""

from __future__ import annotations

import os
import time

import pytest

import redis_server
from check_program import CheckProgram
from instances import MakeService
from moment import until
from program import must, run
from soak import only_in_soak
from web import get, staying
from webshop import container


def test_a_check_gets_what_is_known(service: MakeService, nginx: str, check: CheckProgram) -> None:
    shop = container(
        service,
        nginx,
        "--check",
        check("env | grep ^SOCKWAKE_ | sort >told.new; mv told.new told; exit 0"),
    )
    get(shop.port)
    shop.asleep()
    told = dict(line.split("=", 1) for line in (check.folder / "told").read_text().splitlines())
    assert int(told.pop("SOCKWAKE_SILENT")) >= 0
    assert told == {
        "SOCKWAKE_NAME": "svc1",
        "SOCKWAKE_ADDRESS": f"127.0.0.1:{shop.port}",
        "SOCKWAKE_CONNECTIONS": "0",
    }
    assert check.asked() >= 1


def test_a_check_gets_the_number_of_connections_and_the_seconds_of_silence(
    service: MakeService, nginx: str, check: CheckProgram
) -> None:
    shop = container(
        service,
        nginx,
        "--check",
        check("echo $SOCKWAKE_CONNECTIONS $SOCKWAKE_SILENT >>counted; exit 1"),
    )
    began = time.monotonic()
    with staying(shop.port), staying(shop.port):
        check.await_asked(4)
        counted = [line.split() for line in (check.folder / "counted").read_text().splitlines()]
    assert counted[-1][0] == "2" and 1 <= int(counted[-1][1]) <= time.monotonic() - began + 1, (
        counted
    )
    check("exit 0")
    shop.asleep()


@pytest.mark.fault
@pytest.mark.parametrize("body", ["exit 75", *only_in_soak("exit 1", "kill -SEGV $$")])
def test_any_exit_status_but_0_keeps_it_awake(
    service: MakeService, nginx: str, check: CheckProgram, body: str
) -> None:
    shop = container(service, nginx, "--check", check(body))
    get(shop.port)
    server = shop.server_pid()
    until("its proxy has left", lambda: shop.state(shop.proxy) == "inactive")
    check.await_asked(3)
    assert shop.server_pid() == server != 0
    assert get(shop.port).status == 200
    check("exit 0")
    shop.asleep()


@pytest.mark.fault
@pytest.mark.parametrize("kind", ["command", "native"])
def test_a_stopped_process_continues_after_its_idle_check_was_killed(
    service: MakeService, redis: str, program: str, check: CheckProgram, kind: str
) -> None:
    """The --check program does both, in place of a kill that would have to meet the moment."""
    still = f"pg-{'postgres' if kind == 'native' else 'proxy'}@svc1.service"
    kill = f"systemctl kill --signal=STOP {still}; touch killed; kill -KILL $PPID"
    body = f"[ -e killed ] || {{ {kill}; }}; exit 1"
    executed = program if kind == "native" else f"{redis} --port {{port}}"
    one = service(
        kind, "--exec", executed, "--check", check(body), "--check-every", "10min", idle="1min"
    )

    def ask() -> object:
        return get(one.port) if kind == "native" else redis_server.ask(one, "ping")

    assert ask()
    must("systemctl", "start", "--no-block", one.look)
    check.await_note("killed")
    began = time.monotonic()
    assert ask() and time.monotonic() - began < 30
    check("exit 0")

    def sleeps() -> bool:
        """One check may find that the proxy has just run, and the next is ten minutes away."""
        run("systemctl", "start", one.look)
        return not one.is_awake()

    until("it is put to sleep", sleeps)
    one.asleep()


@pytest.mark.fault
def test_a_check_that_does_not_end_is_killed_and_keeps_it_awake(
    service: MakeService, nginx: str, check: CheckProgram
) -> None:
    shop = container(service, nginx, "--check", check("sleep 1000"))
    get(shop.port)
    check.await_asked(1)
    assert shop.property(shop.look, "TimeoutStartUSec") == "1min"
    server = shop.server_pid()
    # as systemd does when a minute has passed
    must("systemctl", "kill", "--signal=SIGTERM", shop.look)
    check.await_asked(1)
    assert shop.server_pid() == server != 0
    check("exit 0")
    must("systemctl", "kill", "--signal=SIGKILL", shop.look)
    shop.asleep()


@pytest.mark.fault
def test_a_check_that_is_gone_or_cannot_be_run_keeps_it_awake(
    service: MakeService, nginx: str, check: CheckProgram
) -> None:
    path = check("exit 1")
    shop = container(service, nginx, "--check", path)
    get(shop.port)
    server = shop.server_pid()
    os.chmod(path, 0o644)
    time.sleep(3)  # three checks: what must not happen cannot be waited for
    os.unlink(path)
    time.sleep(3)
    assert shop.server_pid() == server != 0
    check("exit 0")
    shop.asleep()


@pytest.mark.fault
def test_the_output_of_a_check_and_why_it_cannot_be_run_are_in_the_journal(
    service: MakeService, nginx: str, check: CheckProgram
) -> None:
    path = check("echo the queue is not empty; echo nor is the other >&2; exit 1")
    shop = container(service, nginx, "--check", path)
    of_the_look = f"--unit={shop.look}"
    get(shop.port)
    shop.await_journal("the queue is not empty\nnor is the other\n", of_the_look)
    os.chmod(path, 0o644)
    shop.await_journal(
        f"sockwake: cannot run {path}: permission denied: svc1 stays awake\n", of_the_look
    )
    check("sleep 1000")
    check.await_asked(1)
    must("systemctl", "kill", "--signal=SIGTERM", shop.look)
    shop.await_journal(
        f"sockwake: check {path} was ended before it had an answer: svc1 stays awake\n", of_the_look
    )
    check("exit 0")
    shop.asleep()


def test_a_yes_of_the_check_closes_silent_connections(
    service: MakeService, nginx: str, check: CheckProgram
) -> None:
    shop = container(service, nginx, "--check", check("[ $SOCKWAKE_SILENT -ge 2 ]"))
    with staying(shop.port) as client:
        assert client.recv(1) == b""
    shop.asleep()


def test_a_check_runs_as_often_as_check_every_says(
    service: MakeService, nginx: str, check: CheckProgram
) -> None:
    shop = container(service, nginx, "--check", check("exit 1"), "--check-every", "3s")
    get(shop.port)
    began = time.monotonic()
    check.await_asked(3)
    assert 5 < time.monotonic() - began < 25
    check("exit 0")
    shop.asleep()
