"""Who only scans ports, checks that one is open, says nothing or may not come wakes nobody and keeps nobody awake."""

from __future__ import annotations

import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

import figures
import test_command
from account import Own
from check_program import CheckProgram
from client import Lost, Refused
from conftest import Make, MakeService
from database import Database
from moment import until
from program import must, run
from service import Service
from web import get
from webshop import container

MakeSleeper = Callable[..., Service]
CYCLES = 100 if os.environ.get("SOCKWAKE_SOAK") else 12
KINDS = ("postgres", "container", "command", "native")
NOBODY_SPEAKS_FOR = (
    "3"  # seconds until the kernel gives up waiting for a word: three instead of a minute
)


def knock(service: Service | Own, said: bytes = b"") -> None:
    """Connect, say little or nothing, and hang up as a port scanner or a TCP health check does."""
    with socket.create_connection(("127.0.0.1", service.port), 5) as sock:
        sock.sendall(said)


def knock_and_reset(service: Service) -> None:
    with socket.create_connection(("127.0.0.1", service.port), 5) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def say_nothing(service: Service, said: bytes = b"") -> float:
    """Connect, wait until the other end hangs up, and return the seconds that took."""
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", service.port), 60) as sock:
        sock.sendall(said)
        with suppress(ConnectionResetError):
            assert sock.recv(1) == b""
    return time.monotonic() - began


@contextmanager
def knocking(service: Service | Own, every: float) -> Iterator[None]:
    """A health check."""
    enough = threading.Event()

    def go_on() -> None:
        while not enough.wait(every):
            knock(service)

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield
    finally:
        enough.set()
        thread.join()


def wakes(service: Service) -> int:
    return service.journal(f"--unit={service.backend}").count("woken by")


def turned_away(service: Service) -> int:
    return service.journal(
        f"--unit={service.backend}", f"--unit=pg-wanted@{service}.service"
    ).count("turned away")


def sleeps(service: Service) -> int:
    """How often it has fallen asleep. Its units may never be seen at rest while somebody knocks."""
    return service.journal(f"--unit={service.backend}").count("sockwake: asleep")


def ask(service: Service) -> None:
    """Be a client."""
    if isinstance(service, Database):
        assert service.psql() == "1"
    elif service.setting("KIND") == "command":
        assert test_command.ask(service, "ping") == "PONG"
    else:
        assert get(service.port).status == 200


@pytest.fixture
def sleeper(
    instance: Make, service: MakeService, nginx: str, redis: str, program: str
) -> MakeSleeper:
    """sleeper(KIND, OPTION...) makes an instance whose clients speak first."""

    def make(kind: str, *options: str) -> Service:
        if kind == "postgres":
            return instance(*options)
        if kind == "container":
            return container(service, nginx, *options)
        if kind == "command":
            return test_command.server(service, redis, "--client-first", *options)
        return service("native", "--exec", program, "--client-first", *options)

    return make


def drop_in(service: Service, text: str) -> None:
    folder = Path(f"/run/systemd/system/{service.socket}.d")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "test.conf").write_text(f"[Socket]\n{text}")
    must("systemctl", "daemon-reload")
    must("systemctl", "restart", service.socket)


@pytest.fixture
def impatient() -> Iterator[Callable[[Service], None]]:
    """Shorten for an instance how long the kernel waits for a word."""
    known: list[Service] = []

    def make(service: Service) -> None:
        known.append(service)
        drop_in(service, f"DeferAcceptSec={NOBODY_SPEAKS_FOR}\n")

    yield make
    for each in known:
        run("rm", "-r", f"/run/systemd/system/{each.socket}.d")
    must("systemctl", "daemon-reload")


@pytest.mark.parametrize("kind", KINDS)
def test_a_port_scan_wakes_nobody(sleeper: MakeSleeper, kind: str) -> None:
    scanned = sleeper(kind)
    before = wakes(scanned)
    for number in range(1, 4):
        knock_and_reset(scanned)
        knock(scanned)
        until("it is turned away", lambda: turned_away(scanned) == number)
        scanned.asleep()
    assert wakes(scanned) == before
    ask(scanned)
    assert wakes(scanned) == before + 1


@pytest.mark.parametrize("kind", ["command", "native"])
def test_a_health_check_wakes_nobody_where_the_server_may_speak_first(
    service: MakeService, redis: str, program: str, kind: str
) -> None:
    """Who is reset, is in no table any more; who stays is a client."""
    checked = (
        test_command.server(service, redis)
        if kind == "command"
        else service("native", "--exec", program)
    )
    before = wakes(checked)
    for number, leave in enumerate((knock, knock_and_reset, knock), 1):
        leave(checked)
        until("it is turned away", lambda: turned_away(checked) == number)
        checked.asleep()
    assert wakes(checked) == before
    with socket.create_connection(("127.0.0.1", checked.port)):
        until("it is woken", lambda: wakes(checked) == before + 1)
    checked.asleep()


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_is_woken_by_one_who_says_nothing(
    sleeper: MakeSleeper, impatient: Callable[[Service], None], kind: str
) -> None:
    quiet = sleeper(kind)
    before = wakes(quiet)
    assert (
        "\nDeferAcceptSec=60\n"
        in Path(f"/run/systemd/generator/{quiet.socket}.d/listen.conf").read_text()
    )
    impatient(quiet)
    assert 1.5 < say_nothing(quiet) < 30
    quiet.asleep()
    assert (wakes(quiet), turned_away(quiet)) == (before, 1)
    ask(quiet)


def test_nobody_is_woken_by_less_than_a_client_s_first_words(
    instance: Make, impatient: Callable[[Service], None]
) -> None:
    database = instance()
    impatient(database)
    assert 1.5 < say_nothing(database, b"\0\0") < 30
    database.asleep()
    assert (wakes(database), turned_away(database)) == (0, 1)


@pytest.mark.parametrize("nonsense", [b"hello\n", b"GET / HTTP/1.0\r\n\r\n"], ids=["short", "HTTP"])
def test_nonsense_that_hangs_up_wakes_no_database(instance: Make, nonsense: bytes) -> None:
    database = instance()
    knock(database, nonsense)
    until("it is turned away", lambda: turned_away(database) == 1)
    database.asleep()
    assert wakes(database) == 0


def test_who_has_asked_for_a_page_is_a_client_even_with_his_half_closed(
    service: MakeService, nginx: str
) -> None:
    """He is led to the server. That systemd-socket-proxyd before version 262 then loses the answer is another thing."""
    shop = container(service, nginx)
    knock(shop, b"GET / HTTP/1.0\r\n\r\n")
    until("it is woken", lambda: wakes(shop) == 1)
    shop.asleep()


@pytest.mark.parametrize("kind", KINDS)
def test_clients_among_strangers_are_served(sleeper: MakeSleeper, kind: str) -> None:
    """The stranger is being turned away when the client comes, at every moment of that."""
    sought = sleeper(kind, "--idle", "1min")
    began, lost = time.monotonic(), 0
    knock(sought)
    until("it is turned away", lambda: turned_away(sought) == 1)
    longest = 2 * (time.monotonic() - began)
    for cycle in range(CYCLES):
        run("systemctl", "stop", sought.proxy, sought.backend)
        for _ in range(1 + cycle % 3):
            knock(sought)
        time.sleep(longest * cycle / CYCLES)
        try:
            ask(sought)
        except (Lost, Refused, OSError, AssertionError):
            lost += 1
            figures.count("connections lost")
    assert lost == 0
    assert turned_away(sought) > CYCLES // 3


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("postgres", ("--check-every", "1s")),
        ("postgres", ("--check", "none")),
        ("container", ()),
        ("command", ()),
        ("native", ("--check-every", "1s")),
    ],
)
def test_a_health_check_keeps_nothing_awake(
    sleeper: MakeSleeper, kind: str, options: tuple[str, ...]
) -> None:
    checked = sleeper(kind, "--idle", "3s", *options)
    before = wakes(checked)
    with knocking(checked, every=0.9):
        slept = sleeps(checked)
        ask(checked)
        until("it falls asleep", lambda: sleeps(checked) > slept)
        seen = turned_away(checked)
        until("it is turned away again", lambda: turned_away(checked) > seen + 2)
        assert wakes(checked) == before + 1
        ask(checked)
        until("it falls asleep again", lambda: sleeps(checked) > slept + 1)
    checked.asleep()
    assert wakes(checked) == before + 2


def test_a_health_check_holds_up_no_check_that_takes_longer(
    instance: Make, check: CheckProgram
) -> None:
    database = instance("--check", check("sleep 2"), "--check-every", "1s")
    with knocking(database, every=0.5):
        ask(database)
        until("it falls asleep", lambda: sleeps(database) == 1)
    database.asleep()
    assert wakes(database) == 1


def test_a_health_check_ends_no_session(instance: Make) -> None:
    database = instance("--idle", "5s", "--check-every", "1s")
    with (
        knocking(database, every=0.9),
        database.connect() as client,
    ):  # which is to stay although others come and go
        for number in range(6):
            time.sleep(1.5)
            assert client.value(f"select {number}") == str(number)
    database.asleep()
    assert wakes(database) == 1


@pytest.mark.parametrize("awake", [False, True], ids=["asleep", "awake"])
def test_only_allowed_addresses_get_through(instance: Make, awake: bool) -> None:
    database = instance(
        "--allow", "127.0.0.2/32", "--allow", "10.0.0.0/8", "--idle", "1min" if awake else "1s"
    )
    assert database.setting("ALLOW") == "127.0.0.2/32,10.0.0.0/8"
    if awake:
        database.connect(source="127.0.0.2").close()
    for port in (database.port, 0):
        with pytest.raises(TimeoutError):
            socket.create_connection(("127.0.0.1", database.port), 2, ("127.0.0.3", port))
    assert wakes(database) == awake
    status = run("sockwake", "status", database.name).expect(0).out
    assert "127.0.0.2/32, 10.0.0.0/8 (" in status and "(0 packets" not in status
    run("systemctl", "stop", database.proxy, database.backend)
    with database.connect(source="127.0.0.2") as client:
        assert client.value("select 1") == "1"
    until(
        "the others are counted",
        lambda: "from addresses that are not allowed" in database.journal(),
    )


@pytest.mark.fault
def test_addresses_that_are_not_filtered_after_all_are_refused(instance: Make) -> None:
    """As on a system without BPF, where systemd warns and opens the port to all."""
    database = instance("--allow", "10.0.0.0/8")
    drop_in(database, "IPAddressAllow=any\n")
    try:
        assert "127.0.0.1 is not in ALLOW and came through" in database.fatal()
        database.asleep(backend=("inactive", "failed"))
    finally:
        run("rm", "-r", f"/run/systemd/system/{database.socket}.d")
        must("systemctl", "daemon-reload")
