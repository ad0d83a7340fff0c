"""A program that takes its socket from systemd sees its clients, and sleeps without any."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from client import Lost
from instances import MakeService
from moment import until
from program import installed, run
from refusal import ASLEEP_OR_FAILED
from service import Service
from web import get

BROKEN = Path("/run/broken-by-the-tests")


@pytest.fixture
def broken() -> Iterator[Path]:
    """A file: the program with --broken does not start while it exists."""
    BROKEN.touch()
    yield BROKEN
    BROKEN.unlink(missing_ok=True)


def native(service: MakeService, command: str, *options: str, **more: object) -> Service:
    return service("native", "--exec", command, *options, **more)


def starts(web: Service) -> int:
    """The number of starts of the program itself."""
    return (web.data / "starts").read_text().count("start")


def test_it_sees_the_clients_own_address_and_sleeps_when_no_client_is_connected(
    service: MakeService, program: str
) -> None:
    web = native(service, program)
    for times in (1, 2):
        assert web.processes() == []
        answer = get(web.port, source="127.0.0.77")
        assert answer.text.split()[0] == answer.address and answer.address.startswith("127.0.0.77:")
        assert int(answer.text.split()[1]) == web.main_pid(web.backend)
        assert 61184 <= int(answer.text.split()[2]) <= 65519, "systemd's dynamic users"
        until("the timer is there", lambda: web.state(web.check) == "active")
        web.asleep()
        assert starts(web) == times
        assert web.state(web.check) == "inactive"
    assert web.state(web.proxy) == "inactive"


def test_short_requests_keep_it_awake_though_no_check_sees_one(
    service: MakeService, program: str
) -> None:
    web = native(service, program, "--check-every", "1s", idle="6s")
    for times in (1, 2):
        for _ in range(9):
            assert get(web.port).status == 200
            time.sleep(1)
        assert starts(web) == times, web.journal()
        web.asleep()
    assert "Killing process" not in web.journal()


def test_connections_alone_count_without_a_check(service: MakeService, program: str) -> None:
    web = native(service, program, "--check", "none")
    for times in (1, 2):
        assert get(web.port).status == 200
        web.asleep()
        assert starts(web) == times


def test_a_connection_keeps_it_awake(service: MakeService, program: str) -> None:
    web = native(service, program)
    with socket.create_connection(("127.0.0.1", web.port)):
        web.await_awake()
        pid = web.main_pid(web.backend)
        time.sleep(4)  # four times IDLE: what must not happen cannot be waited for
        assert web.main_pid(web.backend) == pid
    web.asleep()


def test_a_client_that_has_closed_its_half_gets_all_of_a_slow_answer(
    service: MakeService, program: str
) -> None:
    web = native(service, program, "--check-every", "1s", idle="2s")
    with socket.create_connection(("127.0.0.1", web.port), 30) as client:
        client.sendall(b"GET /drip/8 HTTP/1.0\r\n\r\n")
        client.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: client.recv(1000), b""))
    assert answer.count(b"a drop\n") == 16
    web.asleep()


def test_a_dozen_at_once_onto_a_sleeping_one(service: MakeService, program: str) -> None:
    web = native(service, program)
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: get(web.port), range(12)))
    assert [answer.status for answer in answers] == [200] * 12
    assert starts(web) == 1
    web.asleep()


def test_unix_socket(service: MakeService, program: str) -> None:
    front = "/run/native-of-the-tests.sock"
    web = native(service, program, "--listen", front, "--socket-mode", "0660")
    assert stat.filemode(os.stat(front).st_mode) == "srw-rw----"
    for _ in range(2):
        assert get(front).text.startswith(":0 ")
        web.asleep()


@pytest.mark.fault
def test_clients_are_told_when_a_program_does_not_report_readiness_in_time(
    service: MakeService, program: str
) -> None:
    web = native(service, f"{program} --notify 600", "--ready", "notify")
    web.edit("instance.env", "IDLE=1s\n", "IDLE=1s\nSTART_TIMEOUT=2s\n")
    run("systemctl", "daemon-reload").expect(0)
    answer = get(web.port)
    assert answer.status == 503 and "its program did not say it was ready in time" in answer.text
    web.asleep(backend=ASLEEP_OR_FAILED)


def test_ready_by_notify_waits_for_its_word(service: MakeService, program: str) -> None:
    web = native(service, f"{program} --notify 1.5", "--ready", "notify")
    assert web.setting("READY") == "notify"
    began = time.monotonic()
    assert get(web.port).status == 200
    assert time.monotonic() - began > 1.5
    web.await_journal("woken by ")
    web.asleep()


@pytest.mark.fault
def test_start_that_fails_is_told_in_http_and_not_tried_in_a_loop(
    service: MakeService, program: str, broken: Path
) -> None:
    web = native(service, f"{program} --broken {broken}")
    for times in (1, 2):
        answer = get(web.port)
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")
        assert "cannot start: its program ended with status 1 (journalctl -u " in answer.text
        assert "paper" not in answer.text, "what it said may hold a secret"
        assert starts(web) <= 2 * times, "it is started in a loop"
        web.asleep(backend=ASLEEP_OR_FAILED)
        assert str(web.ls()["error"]) == "its program ended with status 1: there is no more paper"
    broken.unlink()
    until("it is served", lambda: get(web.port).status == 200)
    web.asleep()
    assert "error" not in web.ls()


def test_a_stop_at_any_moment_of_a_start_leaves_no_failure(
    service: MakeService, program: str
) -> None:
    web = native(service, program, "--idle", "1min")
    for moment in range(12):
        assert get(web.port).status == 200
        time.sleep(0.03 * moment)
        run("systemctl", "stop", web.backend).expect(0)
        assert web.state(web.backend) == "inactive", moment
    assert "error" not in web.ls()


@pytest.mark.fault
def test_a_silent_client_is_let_go_when_the_start_fails(
    service: MakeService, program: str, broken: Path
) -> None:
    web = native(service, f"{program} --broken {broken}")
    client = socket.create_connection(("127.0.0.1", web.port), 30)
    with client, contextlib.suppress(ConnectionError):
        assert client.recv(1) == b""
    web.asleep(backend=ASLEEP_OR_FAILED)
    assert "refused" not in (web.run / "failure").read_text(), (
        "the refusal itself is no start that failed"
    )
    assert starts(web) <= 2
    assert web.journal(f"--unit={web.backend}").count("Starting ") <= 4


@pytest.mark.fault
def test_killed_under_its_clients(service: MakeService, program: str) -> None:
    web = native(service, program)
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(get, web.port, "/hold/20")
        until("it has a client", lambda: web.is_awake() and web.ls()["clients"] == 1)
        pid = web.main_pid(web.backend)
        web.kill(web.backend)
        with pytest.raises(Lost):
            held.result(30)
    until("the next client is served", lambda: get(web.port).status == 200)
    assert web.main_pid(web.backend) not in (0, pid)
    web.asleep()


def test_a_program_with_workers_is_put_to_sleep(service: MakeService) -> None:
    """The workers are stopped with it (SIGSTOP), and have to continue for it to end."""
    with installed("prefork_service.py") as program:
        web = native(service, program)
        for _ in range(2):
            assert get(web.port).text == "ok\n"
            web.asleep()
    assert "SIGKILL" not in web.journal()


def test_systemd_journal_gatewayd(service: MakeService, gatewayd: str) -> None:
    web = native(service, gatewayd, idle="2s")
    for _ in range(4):
        answer = get(web.port, "/machine")
        assert answer.status == 200 and '"machine_id"' in answer.text, answer
        web.asleep()
    run("sockwake", "rm", "svc1", "--purge").expect(0, "Removed /etc/sockwake/svc1")
