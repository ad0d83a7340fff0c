"""A database that cannot start, and says so."""

from __future__ import annotations

from database import Database
from moment import until_gone

ASLEEP_OR_FAILED = ("inactive", "failed")


def told(database: Database, reason: str, words: str = "") -> None:
    """A client reads the reason; so does the administrator; the port is open and nothing runs.

    words: what a program or the server said about it, which is for the administrator alone.
    """
    said = database.fatal()
    assert said.startswith('sockwake: instance "pg1" cannot start: '), said
    assert reason in said
    assert said.endswith("(journalctl -u pg-postgres@pg1)")
    assert not words or words not in said, (
        "a client that has not logged in reads what may hold a secret"
    )
    database.asleep(backend=ASLEEP_OR_FAILED)  # until then it has not said all
    facts = str(database.ls()["error"])
    assert reason in facts and words in facts, facts

    def missing() -> str:
        journal = database.journal(f"--unit={database.backend}")
        return "" if reason in journal and words in journal else journal

    # the last line of a process that has ended comes by a stream, for which no --sync waits
    until_gone("the journal has it", missing)
