"""Helpers of an instance end in any way, or do not run: it is served, and it sleeps."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from ending import SIGNALS, Command, Native, Postgres, Subject, send
from instances import Make, MakeService
from moment import until
from program import must, run
from soak import only_in_soak

pytestmark = pytest.mark.fault
STAND_IN, SLOW = Path("/usr/local/bin/systemd-run"), Path("/usr/local/bin/grep")
LATE = 12  # seconds; the waker waits for ten
CHECK_EVERY, TIMER_COMES_WITHIN = 1, 5  # seconds


@contextmanager
def changed(unit: str, text: str) -> Iterator[None]:
    """Have a drop-in for a unit meanwhile."""
    folder = Path(f"/run/systemd/system/{unit}.d")
    folder.mkdir(parents=True)
    (folder / "tests.conf").write_text(f"[Service]\n{text}\n")
    must("systemctl", "daemon-reload")
    try:
        yield
    finally:
        shutil.rmtree(folder)
        must("systemctl", "daemon-reload")


def subject_of(kind: str, service: MakeService, redis: str, program: str) -> Subject:
    if kind == "native":
        return Native(service("native", "--exec", program, "--check-every", "1s"))
    return Command(service("command", "--exec", f"{redis} --port {{port}}"))


@pytest.mark.parametrize("kind", ["command", *only_in_soak("native")])
def test_ending_the_start_condition_of_a_program(
    service: MakeService, redis: str, program: str, kind: str
) -> None:
    """It is a unit of its own where service.conf has more than a program for bin/when-wanted."""
    subject = subject_of(kind, service, redis, program)
    subject.service.edit("service.conf", "UMask=", "Type=simple\nUMask=")
    unit = "pg-wanted@svc1.service"
    slowly = "ExecStart=\nExecStart=/bin/sh -c 'sleep 2; exec /usr/libexec/sockwake/wanted %i'"
    seen: list[int] = []

    def is_looking() -> bool:
        seen.append(subject.service.main_pid(unit))
        return seen[-1] > 0

    with changed(unit, slowly):
        for number in SIGNALS:
            with closing(socket.create_connection(("127.0.0.1", subject.service.port))):
                until("it looks", is_looking)
                assert send(seen[-1:], number)
            subject.serves()
            subject.tells_the_truth()
            subject.sleep()
        until("no look is left", lambda: not is_looking())
    subject.service.asleep()


@pytest.mark.parametrize(
    "kind, victim",
    [
        ("command", "/await "),
        pytest.param("native", "/wanted ", marks=pytest.mark.soak),
        pytest.param("command", "/wanted ", marks=pytest.mark.soak),
        pytest.param("native", "/await ", marks=pytest.mark.soak),
    ],
)
def test_ending_the_look_for_a_client_beside_a_program(
    service: MakeService, redis: str, program: str, kind: str, victim: str
) -> None:
    subject = subject_of(kind, service, redis, program)
    SLOW.write_text('#!/bin/sh\nsleep 1\nexec /usr/bin/grep "$@"\n')
    SLOW.chmod(0o755)
    try:
        for number in SIGNALS:
            with closing(socket.create_connection(("127.0.0.1", subject.service.port))):
                until("it looks", lambda: subject.running("/wanted ") and subject.running(victim))
                assert send(subject.running(victim), number)
            subject.serves()
            subject.tells_the_truth()
            subject.sleep()
    finally:
        SLOW.unlink()
    subject.service.asleep()


def test_ending_the_refusing_program(instance: Make) -> None:
    subject = Postgres(instance("--no-provision"))
    database = subject.database
    for number in SIGNALS:
        (database.etc / "uninitialised").unlink()
        with closing(socket.create_connection(("127.0.0.1", database.port), 30)) as silent:
            silent.sendall(b"\0\0\0\x20half a startup packet")
            until(
                "the refusing program runs",
                lambda: any("/refuse" in line for line in database.processes()),
            )
            assert send([database.main_pid(database.proxy)], number)
        until("it has ended", lambda: not any("/refuse" in line for line in database.processes()))
        (database.etc / "uninitialised").write_text("")
        assert database.is_listening()
    subject.serves(30)
    database.asleep()


def test_ending_the_unit_that_opens_taken_ports(instance: Make) -> None:
    database = instance()
    reopen = "sockwake-reopen.service"
    must("systemctl", "stop", database.socket)
    with closing(socket.create_server(("127.0.0.1", database.port))):
        run("systemctl", "start", database.socket).expect(1)
        for number in SIGNALS:
            until("it tries", lambda: database.main_pid(reopen))
            before = database.main_pid(reopen)
            assert send([before], number)
            until("it tries again", lambda: database.main_pid(reopen) not in (0, before))
    until("the port is open", database.is_listening, 40)
    until("nothing tries any more", lambda: database.state(reopen) == "inactive", 40)
    assert database.psql() == "1"


@contextmanager
def in_place_of_systemd_run(script: str) -> Iterator[None]:
    STAND_IN.write_text(f"#!/bin/sh\n{script}\n")
    STAND_IN.chmod(0o755)
    try:
        yield
    finally:
        STAND_IN.unlink(missing_ok=True)


@pytest.mark.parametrize(
    "script",
    ["exit 0", f"rm {STAND_IN}; echo systemd does not answer >&2; exit 1"],
    ids=["nothing comes of it", "it fails"],
)
def test_a_timer_that_was_never_made_keeps_nothing_awake(instance: Make, script: str) -> None:
    """A connection pool keeps a silent connection open."""
    database = instance("--check-every", f"{CHECK_EVERY}s")
    with in_place_of_systemd_run(script), closing(database.connect()) as client:
        assert client.value("select 1") == "1"
        STAND_IN.unlink(missing_ok=True) if script == "exit 0" else None
        until(
            "its timer is there",
            lambda: database.state(database.check) == "active",
            CHECK_EVERY + 3 * TIMER_COMES_WITHIN,
        )
        database.asleep()


@pytest.mark.parametrize("kind", ["native", *only_in_soak("command")])
def test_a_timer_that_was_never_made_keeps_no_program_awake_on_a_unix_socket(
    service: MakeService, redis: str, program: str, kind: str
) -> None:
    """There the kernel reports no closed connection: the monitor is for the timer alone."""
    path = f"/run/{kind}-of-the-tests.sock"
    which = f"{redis} --port {{port}}" if kind == "command" else program
    one = service(
        kind,
        *("--exec", which, "--listen", path, "--check", "builtin"),
        *("--check-every", f"{CHECK_EVERY}s"),
    )
    one.asleep()
    with in_place_of_systemd_run("exit 0"), closing(socket.socket(socket.AF_UNIX)) as client:
        client.connect(path)
        one.await_awake()
        STAND_IN.unlink()
        until(
            "its timer is there",
            lambda: one.state(one.check) == "active",
            CHECK_EVERY + 3 * TIMER_COMES_WITHIN,
        )
        if kind == "native":
            client.close()
        one.asleep()


def test_a_proxy_that_comes_late_refuses_no_client(instance: Make) -> None:
    database = instance("--check", "none")
    with changed(database.proxy, f"ExecStartPre=/bin/sleep {LATE}"):
        before = database.property(database.backend, "InvocationID")
        socket.create_connection(("127.0.0.1", database.port)).close()  # a port scan
        until(
            "it is started",
            lambda: database.property(database.backend, "InvocationID") not in ("", before),
        )
        assert database.psql() == "1"
        assert "cannot start" not in database.journal()
        must("systemctl", "stop", database.proxy)
    database.asleep()


def test_dropped_packets_that_cannot_be_counted_end_no_wake(instance: Make) -> None:
    database = instance("--allow", "127.0.0.0/8", idle="1min")
    ss = Path(shutil.which("ss") or "").resolve()
    aside = ss.with_name("ss-put-aside")
    ss.rename(aside)
    try:
        with closing(database.connect()) as client:
            until("it is said", lambda: "ss is not installed" in database.journal())
            assert client.value("select 1") == "1" and database.psql() == "1"
    finally:
        aside.rename(ss)
    assert database.journal().count("woken by") == 1
    must("systemctl", "stop", database.backend)
    database.asleep()
