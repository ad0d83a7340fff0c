"""Port scans, silent connections and nonsense wake nothing and take nothing from clients."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

import figures
from client import Lost, Refused
from instances import Make, MakeService, MakeSleeper
from moment import until
from program import run
from service import Service
from soak import SOAK, only_in_soak
from stranger import ask, knock, knock_and_reset, knocking, say_nothing, turned_away, wakes
from webshop import container

CYCLES = 100 if SOAK else 12
TURNS = 40 if SOAK else 6
KINDS = ("postgres", *only_in_soak("native", "container", "command"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_port_scan_wakes_nothing(sleeper: MakeSleeper, kind: str) -> None:
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


@pytest.mark.parametrize("kind", KINDS)
def test_a_silent_connection_wakes_nothing(
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


def test_less_than_a_startup_packet_wakes_nothing(
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


def test_a_client_that_closes_its_half_after_its_request_wakes_the_server(
    service: MakeService, nginx: str
) -> None:
    """That systemd-socket-proxyd before version 262 then loses the answer is another matter."""
    shop = container(service, nginx)
    knock(shop, b"GET / HTTP/1.0\r\n\r\n")
    until("it is woken", lambda: wakes(shop) == 1)
    shop.asleep()


@pytest.mark.parametrize("kind", KINDS)
def test_clients_among_strangers_are_served(sleeper: MakeSleeper, kind: str) -> None:
    """The client connects at different moments of the turning away of a stranger."""
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


@pytest.mark.parametrize("runtime", ["engine", *only_in_soak("crun")])
def test_a_command_wakes_it_among_health_checks(
    service: MakeService, nginx: str, runtime: str
) -> None:
    """The server speaks first, as far as systemd knows: each of them has the backend started."""
    checked = container(service, nginx, "--ready", "tcp", "--runtime", runtime)
    name = checked.name
    with knocking(checked, 0.3):
        for number in range(TURNS):
            time.sleep(0.05 * number)
            run("sockwake", "keep" if number % 2 else "wake", name).expect(0)
            run("sockwake", "sleep", "--force", name).expect(0)
