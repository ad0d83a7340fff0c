"""Figures of a whole run for its last line: counted in the tests, kept in the junit report."""

from __future__ import annotations

import re
import threading
from collections import Counter

from program import run

NAMES = (
    "connections made",
    "connections lost",
    "faults tried",
    "sockets left failed",
    "crash recoveries seen",
    "hostile attempts",
    "fuzz cases",
)
_RECOVERS = "database system was not properly shut down"  # in the log of every PostgreSQL
_counted: Counter[str] = Counter()
_lock = threading.Lock()


def count(what: str, by: int = 1) -> None:
    assert what in NAMES, what
    with _lock:
        _counted[what] += by


def total(cursor: str) -> dict[str, int]:
    """Every figure of the run that began at this place in the journal."""
    woken = re.findall(r"^sockwake: woken by .* in (\d+) ms", _said_since(cursor), re.MULTILINE)
    return {"cold starts tried": len(woken), **{name: _counted[name] for name in NAMES}}


def place() -> str:
    """Where the journal ends now."""
    return run("journalctl", "--lines=0", "--show-cursor").out.strip().rpartition("cursor: ")[2]


def recoveries(cursor: str) -> int:
    """The number of crash recoveries of any PostgreSQL since that place in the journal."""
    return _said_since(cursor).count(_RECOVERS)


def _said_since(cursor: str) -> str:
    run("journalctl", "--sync")
    return run(
        "journalctl",
        f"--after-cursor={cursor}",
        "--output=cat",
        "--no-pager",
        "--unit=pg-postgres@*.service",
    ).out
