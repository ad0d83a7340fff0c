"""sockwake report: how much of its time each instance has slept, and what that has saved."""

import math
import os
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from sockwake.admin import inventory
from sockwake.admin.measure import events, log, spells
from sockwake.admin.measure.events import Event
from sockwake.admin.measure.log import Boot
from sockwake.admin.measure.spells import Spell
from sockwake.config.instance import Instance, Name
from sockwake.lifecycle import backups, wakes

Times = Sequence[tuple[float, float]]  # from, until; seconds since the epoch
USUAL_SINCE = "7d"
_LAST = 4000  # events before the span that are looked at for the memory of what already slept


@dataclass(frozen=True)
class Measured:
    """One instance in a span of time.

    seconds: of the span in which the machine ran and the instance was there; asleep: of these.
    spells: in which it was awake. wakes: how long those of the span took, in seconds. memory,
    cache: byte seconds that it did not use because it slept, of its own and of the page cache.
    unmeasured: seconds asleep of which the memory before is not known; uncached: of which only that
    of the page cache is not.
    """

    name: str
    began: float
    seconds: float
    asleep: float
    spells: tuple[Spell, ...]
    wakes: tuple[float, ...]
    failures: int
    refused: int
    strangers: int
    memory: float
    cache: float
    unmeasured: float
    uncached: float


@dataclass(frozen=True)
class Report:
    """All instances in a span of time, in seconds since the epoch.

    backups: when the last good backup of an instance was finished, of those that have one.
    """

    since: float
    until: float
    up: tuple[tuple[float, float], ...]
    instances: tuple[Measured, ...]
    backups: Mapping[str, float] = field(default_factory=dict)


def make(names: Sequence[Name], since: float) -> Report:
    """Measure instances from a moment to now."""
    now, boots = time.time(), log.boots()
    found = log.read(names, since=since)
    before = log.read(names, until=since, most=_LAST) if since else []
    began: dict[str, float] = {name: max(since, _made(name)) for name in names}
    awake = wakes.awake([Instance(name) for name in names])
    made = measure(names, [*before, *found], boots, since=began, start=since, now=now, awake=awake)
    last = {name: backups.last_good(Instance(name)) for name in names}
    return replace(made, backups={name: each.finished for name, each in last.items() if each})


def _made(name: Name) -> float:
    """When an instance was made at the earliest, by the oldest of its files."""
    directory = Instance(name).etc
    try:
        return min(os.lstat(entry.path).st_mtime for entry in os.scandir(directory))
    except (OSError, ValueError):
        return 0


def measure(
    names: Sequence[str],
    found: Sequence[Event],
    boots: Sequence[Boot],
    *,
    since: Mapping[str, float],
    start: float,
    now: float,
    awake: Mapping[str, float] | None = None,
) -> Report:
    """The report of instances by their events.

    since: from when each counts; start: of them all. awake: for how many seconds those are awake
    that are, where that is known.
    """
    own = spells.by_name(found)
    first = min((boot.began for boot in boots), default=start)
    start = max(start, min(first, now))
    up = _up(boots, start, now)
    each = []
    for name in names:
        listed = _until_now(spells.of(own.get(name, []), boots), now, (awake or {}).get(name))
        each.append(_one(name, own.get(name, []), listed, up, max(since[name], start)))
    return Report(start, now, tuple(up), tuple(each))


def _until_now(listed: Sequence[Spell], now: float, awake: float | None) -> list[Spell]:
    """The same, but that the one that has not ended began so many seconds ago."""
    return [
        replace(spell, began=now - awake) if spell.ended is None and awake is not None else spell
        for spell in listed
    ]


def _up(boots: Sequence[Boot], start: float, now: float) -> list[tuple[float, float]]:
    """When the machine ran."""
    if not boots:
        return [(start, now)]
    last = boots[-1]
    ran = [(boot.began, boot.ended) for boot in boots[:-1]] + [(last.began, max(now, last.began))]
    return cut(ran, [(start, now)])


def cut(some: Times, others: Times) -> list[tuple[float, float]]:
    """What two lists of times have in common."""
    found = [(max(a, c), min(b, d)) for a, b in some for c, d in others if max(a, c) < min(b, d)]
    return sorted(found)


def length(times: Times) -> float:
    return sum(until - since for since, until in times)


def _one(
    name: str, own: Sequence[Event], listed: Sequence[Spell], up: Times, since: float
) -> Measured:
    now = up[-1][1] if up else since
    there = cut(up, [(since, max(now, since))])
    each = [spell for spell in listed if (spell.ended or now) >= since]
    awake = cut([(spell.began, spell.ended or now) for spell in each], there)
    inside = [event for event in own if event.at >= since]
    memory, cache, unmeasured, uncached = _saved(listed, there, now)
    return Measured(
        name,
        since,
        seconds=length(there),
        asleep=max(length(there) - length(awake), 0),
        spells=tuple(each),
        wakes=tuple(e.took for e in inside if e.kind == events.WAKE and e.took is not None),
        failures=sum(event.kind == events.FAILURE for event in inside),
        refused=sum(max(event.count, 1) for event in inside if event.kind == events.REFUSAL),
        strangers=sum(event.count for event in inside if event.kind == events.STRANGERS),
        memory=memory,
        cache=cache,
        unmeasured=unmeasured,
        uncached=uncached,
    )


def _saved(each: Sequence[Spell], there: Times, now: float) -> tuple[float, float, float, float]:
    """Byte seconds not used, of its own and of the page cache, and the seconds not known of each.

    What it had when it fell asleep counts until its next wake.
    """
    memory = cache = unmeasured = uncached = 0.0
    ends = [0.0, *(spell.ended or now for spell in each)]
    begins = [*(spell.began for spell in each), now]
    slept = [None, *(spell.sleep for spell in each)]
    for since, until, sleep in zip(ends, begins, slept):
        seconds = length(cut(there, [(since, until)]))
        if sleep is None or sleep.memory is None:
            unmeasured += seconds
            continue
        memory += seconds * sleep.memory
        if sleep.cache is None:
            uncached += seconds
        else:
            cache += seconds * sleep.cache
    return memory, cache, unmeasured, uncached


def percentile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that so many of all are not above; None without any."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)]


def median(values: Sequence[float]) -> float | None:
    return statistics.median(values) if values else None


def whole(each: Sequence[Measured]) -> Measured:
    """The sum of instances, under the name ""."""
    return Measured(
        "",
        min((one.began for one in each), default=0),
        seconds=sum(one.seconds for one in each),
        asleep=sum(one.asleep for one in each),
        spells=(),
        wakes=tuple(took for one in each for took in one.wakes),
        failures=sum(one.failures for one in each),
        refused=sum(one.refused for one in each),
        strangers=sum(one.strangers for one in each),
        memory=sum(one.memory for one in each),
        cache=sum(one.cache for one in each),
        unmeasured=sum(one.unmeasured for one in each),
        uncached=sum(one.uncached for one in each),
    )


def known() -> list[Name]:
    """Every instance that there is."""
    return [instance.name for instance in inventory.instances()]
