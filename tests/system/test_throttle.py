"""When nothing of sockwake can even be run, a client that waits is no reason to try more than once a second."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from conftest import Make
from program import start
from refusal import ASLEEP_OR_FAILED

pytestmark = pytest.mark.fault
PROGRAMS = [Path("/usr/share/sockwake/bin") / name for name in ("proxy", "refuse", "waker", "watcher")]
WHILE = 4  # seconds


@contextmanager
def unrunnable() -> Iterator[None]:
    """As in the middle of a broken upgrade."""
    try:
        for program in PROGRAMS:
            program.chmod(0o644)
        yield
    finally:
        for program in reversed(PROGRAMS):  # the proxy last, and not in an attempt whose waker could not be run
            if program.name == "refuse":
                time.sleep(1.5)
            program.chmod(0o755)


@pytest.mark.parametrize("kind", ["", "--tls"])
def test_client_waits_meanwhile_and_is_served_when_it_can_be_run_again(instance: Make, kind: str) -> None:
    database = instance(*filter(None, [kind]))
    with unrunnable():
        client = start("psql", "-h", "127.0.0.1", "-p", str(database.port), "-XAtc", "select 1", env=database.environment)
        time.sleep(WHILE)  # what must not happen cannot be waited for
        tried = database.journal(f"--unit={database.proxy}").count("Failed with result 'exit-code'")
        assert 2 <= tried <= WHILE + 2
        assert client.poll() is None and database.is_listening()
    assert client.communicate(timeout=60)[0] == "1\n"
    database.asleep(backend=ASLEEP_OR_FAILED)
