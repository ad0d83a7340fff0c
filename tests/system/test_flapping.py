"""A client that wakes an instance again and again when it has just fallen asleep is named."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

import pytest

from client import Lost, Refused
from database import Database
from ending import Native
from instances import Make, MakeSleeper
from moment import until
from program import must
from project import MakeProject
from service import Service
from stranger import ask, knock, turned_away
from web import get

OFTEN = 4
WORDS = "of them within 30 s after it fell asleep, by 127.0.0.1: a pool"


def status(service: Service) -> dict[str, object]:
    service.settle()
    facts: dict[str, object] = json.loads(must("sockwake", "status", service.name, "--json"))
    return facts


def flaps(service: Service, be_a_client: Callable[[], object]) -> None:
    """Have a client come again whenever it has fallen asleep, and assert that it is named."""
    service.asleep()
    assert status(service)["flapping_client"] is None
    for _ in range(OFTEN):
        be_a_client()
        service.asleep()
    facts = status(service)
    assert facts["flapping_client"] == "127.0.0.1", facts
    assert int(str(facts["wakes_soon_after_sleep"])) in (OFTEN - 1, OFTEN)
    assert WORDS in must("sockwake", "status", service.name)


@pytest.mark.soak
@pytest.mark.parametrize("kind", ["native", "postgres", "container", "command"])
def test_a_client_that_never_lets_it_sleep_is_named(sleeper: MakeSleeper, kind: str) -> None:
    one = sleeper(kind)
    flaps(one, lambda: visit(one))


def visit(service: Service) -> None:
    """Be served. A native program may have done that before its wake notes the client: stay."""
    if not service.is_native:
        ask(service)
        return
    with Native(service).held():
        service.await_awake()


@pytest.mark.soak
def test_a_client_that_never_lets_a_project_sleep_is_named(project: MakeProject) -> None:
    shop = project("two-ports")
    flaps(shop, lambda: get(shop.port))


class Pool(threading.Thread):
    """A pool that keeps one connection, and makes another at once when that is closed."""

    def __init__(self, database: Database) -> None:
        super().__init__()
        self._database = database
        self.enough = threading.Event()

    def run(self) -> None:
        while not self.enough.is_set():
            try:
                with self._database.connect() as client:
                    while not (client.is_spoken_to(0.1) or self.enough.is_set()):
                        pass
            except (Lost, Refused, OSError):
                self.enough.wait(0.1)


@pytest.mark.soak
def test_a_pool_that_keeps_a_minimum_is_named(instance: Make) -> None:
    """Whether it is so quick that it never falls asleep, or not."""
    database = instance()
    pool = Pool(database)
    pool.start()
    try:
        until("it is named", lambda: status(database)["flapping_client"] == "127.0.0.1", 120)
        assert "by 127.0.0.1: a pool" in must("sockwake", "status", database.name)
    finally:
        pool.enough.set()
        pool.join()
    database.asleep()


def test_a_port_scan_is_no_wake(sleeper: MakeSleeper) -> None:
    scanned = sleeper("container")
    scanned.asleep()
    before = status(scanned)["wakes"]
    for number in range(1, OFTEN + 1):
        knock(scanned)
        until("it is turned away", lambda: turned_away(scanned) == number)
        scanned.asleep()
    assert status(scanned)["wakes"] == before
