"""Client programs of a database, and proof that it stays awake."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from database import Database
from program import start

IDLE = 1  # seconds; a check is made as often
LONG = 3 * IDLE + 1  # in which it would have gone to sleep, had it been allowed to


@contextmanager
def client_program(
    database: Database, program: str, *arguments: str
) -> Iterator[subprocess.Popen[str]]:
    """Run a client program meanwhile."""
    child = start(
        program, "-h", "127.0.0.1", "-p", str(database.port), *arguments, env=database.environment
    )
    try:
        yield child
    finally:
        child.kill()
        child.communicate(timeout=30)


def stays_awake(database: Database, seconds: float = LONG) -> None:
    """Assert that its server runs on for so many seconds."""
    server = database.server_pid()
    assert server
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert database.server_pid() == server, f"it went to sleep\n{database.journal()}"
        time.sleep(0.2)
