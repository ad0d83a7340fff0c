"""What the whole run did, for its last lines: counted while the tests run, kept in the junit report."""

from __future__ import annotations

import re
import threading
from collections import Counter

from program import run

NAMES = ("connections made", "connections lost", "faults tried", "sockets left failed", "hostile attempts", "fuzz cases")
_counted: Counter[str] = Counter()
_lock = threading.Lock()


def count(what: str, by: int = 1) -> None:
    assert what in NAMES, what
    with _lock:
        _counted[what] += by


def total(cursor: str) -> dict[str, int]:
    """Every figure of the run that began at this place in the journal."""
    run("journalctl", "--sync")
    said = run("journalctl", f"--after-cursor={cursor}", "--output=cat", "--no-pager", "--identifier=sockwake").out
    woken = re.findall(r"^sockwake: woken by .* in (\d+) ms", said, re.MULTILINE)
    return {"cold starts tried": len(woken), **{name: _counted[name] for name in NAMES}}
