"""Who keeps an instance awake, and times of a day that come soon."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from database import Database
from moment import until
from program import must, run
from service import Service


def holds(service: Service) -> list[dict[str, object]]:
    """The holds of an instance."""
    return [
        each for each in json.loads(must("sockwake", "keep", "-j")) if each["name"] == service.name
    ]


HOLDER = "holder-of-the-tests.service"


@contextmanager
def held_up(service: Service) -> Iterator[None]:
    """A unit of the administrator's wants its backend meanwhile."""
    wants = (f"--property=Wants={service.backend}", f"--property=After={service.backend}")
    must("systemd-run", "--quiet", "--no-block", f"--unit={HOLDER}", *wants, "sleep", "120")
    try:
        yield
    finally:
        must("systemctl", "stop", HOLDER)


def is_awake(service: Service) -> bool:
    return run("sockwake", "is-awake", "-q", service.name).status == 0


@contextmanager
def hours_without_data(database: Database) -> Iterator[None]:
    """Its hours have begun, it could not be started in them, and its data are back behind that."""
    env = database.etc / "instance.env"
    env.write_text(f"{env.read_text()}KEEP={in_seconds(-3600, 3600)}\n")
    away = database.data.rename(f"{database.data}.away")
    try:
        run("systemctl", "daemon-reload").expect(0)
        must("systemctl", "start", "pg-hours@pg1.service")
        until("it has failed", lambda: database.state(database.backend) == "failed")
        yield
    finally:
        away.rename(database.data)


def was_woken_by(service: Service, who: str) -> None:
    """Wait until its last wake is told to be by this; the books are kept behind the wake."""

    def is_told() -> bool:
        status = json.loads(must("sockwake", "status", "-j", service.name))
        return str(status["last_woken_by"]).startswith(who)

    until(f"{service.name} was woken by {who}", is_told)


def in_seconds(*seconds: int) -> str:
    """Hours between two times that are so many seconds from now."""
    now = datetime.now(UTC)
    begin, end = ((now + timedelta(seconds=each)).strftime("%H:%M:%S") for each in seconds)
    return f"{begin}-{end} UTC"
