"""When no program of sockwake can be run, waiting clients cause one attempt a second at most."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from database import Database
from instances import Make
from moment import until
from refusal import ASLEEP_OR_FAILED
from soak import only_in_soak

pytestmark = pytest.mark.fault
PROGRAMS = [
    Path("/usr/share/sockwake/bin") / name for name in ("proxy", "refuse", "waker", "watcher")
]


def tries(database: Database) -> int:
    return database.journal(f"--unit={database.proxy}").count("Failed with result 'exit-code'")


@contextmanager
def unrunnable(database: Database) -> Iterator[None]:
    """Make the programs of sockwake not executable meanwhile, as in a broken upgrade."""
    try:
        for program in PROGRAMS:
            program.chmod(0o644)
        yield
    finally:
        # the proxy last, and not in an attempt whose waker could not be run
        for program in reversed(PROGRAMS):
            if program.name == "refuse":
                seen = tries(database)
                until("it is tried with that", lambda: tries(database) > seen + 1)
            program.chmod(0o755)


@pytest.mark.parametrize("kind", ["", *only_in_soak("--tls")])
def test_client_waits_meanwhile_and_is_served_when_it_can_be_run_again(
    instance: Make, kind: str
) -> None:
    database = instance(*filter(None, [kind]))
    with unrunnable(database):
        client = database.start_psql()
        began = time.monotonic()
        until("it is tried again", lambda: tries(database) > 2)
        tried = tries(database)
        assert tried <= time.monotonic() - began + 2, "more than once a second"
        assert client.poll() is None and database.is_listening()
    assert client.communicate(timeout=60)[0] == "1\n"
    database.asleep(backend=ASLEEP_OR_FAILED)
