"""300 clients at once onto an instance that sleeps or cannot start: all are served or told why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

import figures
from client import Lost, Refused
from database import Database
from instances import Make, MakeService
from refusal import ASLEEP_OR_FAILED
from service import Service
from soak import only_in_soak
from web import get

CROWD = 300
TOO_MANY = "FATAL: sorry, too many clients already"


def what_they_got(ask: Callable[[], str]) -> Counter[str]:
    """The number of clients by answer. ask: be one client, and return its answer."""

    def one(_: int) -> str:
        try:
            return ask()
        except Refused as refusal:
            return str(refusal)
        except Lost as error:
            figures.count("connections lost")
            return f"lost: {error}"

    with ThreadPoolExecutor(CROWD) as pool:
        return Counter(pool.map(one, range(CROWD)))


def logging_in(database: Database) -> Callable[[], str]:
    """A client that stays connected until each client has an answer."""
    answered = Barrier(CROWD)

    def ask() -> str:
        try:
            client = database.connect()
        except (Lost, Refused):
            answered.wait(120)
            raise
        with client:
            answered.wait(120)
            return client.value("select 'served'")

    return ask


@pytest.mark.parametrize("kind", ["--tls", *only_in_soak("")])
def test_postgres_serves_as_many_as_it_accepts_and_refuses_the_others_itself(
    instance: Make, kind: str
) -> None:
    database = instance(*filter(None, [kind]))
    most = int(database.psql("show max_connections"))
    database.asleep()
    assert what_they_got(logging_in(database)) == {"served": most, TOO_MANY: CROWD - most}
    database.asleep()


def web(service: Service) -> Callable[[], str]:
    def ask() -> str:
        return str(get(service.port).status)

    return ask


def test_a_container_serves_every_client(service: MakeService, nginx: str) -> None:
    shop = service("container", "--image", nginx, "--container-port", "80")
    assert what_they_got(web(shop)) == {"200": CROWD}
    assert shop.journal().count("woken by") == 1
    shop.asleep()


def test_a_program_behind_the_proxy_serves_every_client(service: MakeService, program: str) -> None:
    served = service("command", "--exec", f"{program} --socket {{socket}}")
    assert what_they_got(web(served)) == {"200": CROWD}
    served.asleep()


def test_a_native_program_serves_every_client(service: MakeService, program: str) -> None:
    served = service("native", "--exec", program)
    assert what_they_got(web(served)) == {"200": CROWD}
    assert (served.data / "starts").read_text().count("start") == 1
    served.asleep()


@pytest.mark.fault
def test_every_client_is_told_why_a_database_cannot_start(instance: Make) -> None:
    database = instance()
    database.add_guc("nosuch=1")

    def connect() -> str:
        database.connect().close()
        return "served"

    told = what_they_got(connect)
    assert sum(told.values()) == CROWD
    assert all(
        "its container ended with status 1 (journalctl -u pg-postgres@" in said for said in told
    ), told
    database.asleep(backend=ASLEEP_OR_FAILED)


@pytest.mark.fault
def test_every_client_is_told_why_a_program_cannot_start(
    service: MakeService, program: str, tmp_path: Path
) -> None:
    served = service("native", "--exec", f"{program} --broken /etc/hostname")
    assert what_they_got(web(served)) == {"503": CROWD}
    served.asleep(backend=ASLEEP_OR_FAILED)
