"""A database that cannot start, and says so."""

from __future__ import annotations

from database import Database

ASLEEP_OR_FAILED = ("inactive", "failed")


def told(database: Database, reason: str) -> None:
    """A client reads the reason; so does the administrator; the port is open and nothing runs."""
    said = database.fatal()
    assert said.startswith('sockwake: instance "pg1" cannot start: '), said
    assert reason in said
    assert said.endswith("(journalctl -u pg-postgres@pg1)")
    assert reason in database.journal(f"--unit={database.backend}")
    database.asleep(backend=ASLEEP_OR_FAILED)
