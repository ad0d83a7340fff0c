"""What metrics count: sums over the journal since the machine was started.

They are kept beside a cursor of the journal, so that each reading takes only what is new, and so
that no sum becomes smaller when old entries go: to Prometheus that would be a restart. They begin
anew with each boot, and when the file cannot be read.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field

from sockwake.admin.measure import charts, events, log
from sockwake.admin.measure.events import Event
from sockwake.config import scope
from sockwake.system import files


@dataclass
class Counters:
    """Those of one instance.

    crashes: backends that ended unasked while it was awake. buckets: wakes by
    charts.BUCKETS, the last one of longer ones.

    seconds: that all wakes took. awake: seconds of all spells that have ended; since: when the one
    began that has not, in seconds since the epoch, or 0; shown: the most that was told of all.
    memory, cache: bytes before the last sleep, None when not known.
    """

    wakes: int = 0
    failures: int = 0
    crashes: int = 0
    refused: int = 0
    strangers: int = 0
    buckets: list[int] = field(default_factory=lambda: [0] * (len(charts.BUCKETS) + 1))
    seconds: float = 0
    awake: float = 0
    since: float = 0
    shown: float = 0
    memory: int | None = None
    cache: int | None = None

    def add(self, event: Event) -> None:
        """Count one more event."""
        if event.kind == events.WAKE:
            self._add_wake(event)
        elif event.kind == events.FAILURE:
            if self.since:
                self.crashes += 1
            else:
                self.failures += 1
        elif event.kind == events.REFUSAL:
            self.refused += max(event.count, 1)
        elif event.kind == events.STRANGERS:
            self.strangers += event.count
        elif event.kind == events.SLEEP:
            self._add_sleep(event)

    def _add_wake(self, event: Event) -> None:
        took = event.took or 0
        self.wakes += 1
        self.seconds += took
        place = sum(took > edge for edge in charts.BUCKETS)
        self.buckets[place] += 1
        self.since = event.at - took

    def _add_sleep(self, event: Event) -> None:
        if event.awake is not None:  # by a clock that nobody sets
            self.awake += event.awake
        elif self.since:
            self.awake += max(event.at - self.since, 0)
        self.since = 0
        if event.memory is not None:
            self.memory, self.cache = event.memory, event.cache

    def seconds_awake(self, present: float) -> float:
        """Of all spells; never less than before. present: those of the one that has not ended."""
        self.shown = max(self.shown, self.awake + (present if self.since else 0))
        return self.shown


def directory() -> str:
    """The directory of the file; not in that of the instances, which may have any name."""
    return f"{scope.runtime() if scope.is_user() else '/run'}/sockwake-metrics"


@contextmanager
def counted() -> Iterator[dict[str, Counters]]:
    """The counters of every instance, brought up to date; what is done to them is kept."""
    os.makedirs(directory(), 0o755, exist_ok=True)
    path = f"{directory()}/counters.json"
    lock = os.open(directory(), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        cursor, known = restored(files.text_of(path))
        found, cursor = log.after(cursor)
        add(known, found)
        yield known
        kept = {name: asdict(counters) for name, counters in known.items()}
        files.replace_volatile(path, json.dumps({"cursor": cursor, "instances": kept}))
    finally:
        os.close(lock)


def add(known: dict[str, Counters], found: Sequence[Event]) -> None:
    """Count events, in the order of the journal: by their times a clock set back mixes them up."""
    for event in found:
        if event.name:
            known.setdefault(event.name, Counters()).add(event)


def restored(text: str) -> tuple[str, dict[str, Counters]]:
    """The cursor and the counters of the file; "" and none when it is not whole."""
    try:
        kept = json.loads(text)
        known = {name: Counters(**each) for name, each in kept["instances"].items()}
        size = len(charts.BUCKETS) + 1
        if all(len(counters.buckets) == size for counters in known.values()):
            return str(kept["cursor"]), known
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    return "", {}
