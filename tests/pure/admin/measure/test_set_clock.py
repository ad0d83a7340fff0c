"""History, report and metrics of an instance during whose spells the clock was set."""

import json
import time
from pathlib import Path

import pytest
from recorded import old

from sockwake.admin.measure import counters, history, log, report, spells
from sockwake.admin.measure.counters import Counters
from sockwake.admin.measure.events import SLEEP, WAKE, Event
from sockwake.admin.measure.log import Boot
from sockwake.config.instance import Instance, Name
from sockwake.lifecycle import wakes
from sockwake.system import process
from tree import run

HOUR, DAY = 3600.0, 86400.0
NOON = 1_000_000.0  # by the clock that was wrong


def spell(by: float) -> list[Event]:
    """Twenty seconds awake, of which the clock, set meanwhile, says that many seconds more."""
    wake = Event(NOON + 1, "a", WAKE, "b", took=1.0)
    return [wake, Event(NOON + 20 + by, "a", SLEEP, "b", awake=20.0, memory=1)]


@pytest.mark.parametrize("by", [3 * DAY, HOUR, -HOUR, -3 * DAY])
def test_a_spell_is_as_long_as_it_was_by_a_clock_that_nobody_sets(by: float) -> None:
    known: dict[str, Counters] = {}
    counters.add(known, spell(by))
    assert (known["a"].awake, known["a"].since) == (20, 0), "it sleeps, and counts as awake no more"
    (row,) = history.listing(spell(by), [])
    assert (row["awake_seconds"], row["why"]) == (20, "idle")
    (one,) = spells.of(spell(by))
    assert (one.began, one.ended) == (NOON + by, NOON + 20 + by)


@pytest.mark.parametrize("by", [3 * DAY, HOUR, -HOUR, -3 * DAY])
def test_the_share_asleep_is_that_of_the_time_that_the_machine_ran(by: float) -> None:
    """An hour, with the clock set in the first spell, and again in the one that has not ended."""
    now = NOON + by + HOUR
    own = [*spell(by), Event(now - 59 - by, "a", WAKE, "b", took=1.0)]
    boots = [Boot("b", now - HOUR - 100, now)]
    awake, since = {"a": 60.0}, {"a": 0.0}
    made = report.measure(["a"], own, boots, since=since, start=0, now=now, awake=awake)
    (measured,) = made.instances
    assert (measured.seconds, measured.asleep) == (HOUR + 100, HOUR + 100 - 20 - 60)
    assert measured.memory == HOUR - 20 - 60, "since its first sleep"


def test_the_present_start_of_the_machine_was_when_the_clock_of_now_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Many a machine has no clock of its own, and sets it from the network some time later."""
    own = Path("/proc/sys/kernel/random/boot_id").read_text().strip().replace("-", "")
    old, new = {"boot_id": "1" * 32}, {"boot_id": own}
    stamps = {"first_entry": 1_000_000, "last_entry": 2_000_000}
    told = json.dumps([old | stamps, new | stamps])
    monkeypatch.setattr(process, "run", lambda *_, **__: told)
    before, present = log.boots()
    assert (before.began, before.ended) == (1, 2)
    age = float(run("ps", "-o", "etimes=", "-p", "1").stdout)
    assert time.time() - present.began == pytest.approx(age, abs=5)


def test_the_order_is_that_of_the_journal_when_the_clock_was_set_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entries = [
        entry(NOON, "wake", took="1"),
        entry(NOON - HOUR, "sleep", awake="20"),
        entry(NOON - HOUR + 60, "wake", took="1"),
    ]
    before = [
        old("pg-postgres@a.service", "sockwake: asleep", NOON - 5),
        old("pg-postgres@a.service", "sockwake: woken by x in 5 ms", NOON - 10),
    ]

    def journal(argv: list[str], **_: object) -> str:
        if any(word.startswith("--grep") for word in argv):
            return "\n".join(before)
        return "\n".join(entries[:1] if "--lines=+1" in argv else entries)

    monkeypatch.setattr(process, "run", journal)
    kinds = [(event.kind, event.at) for event in log.read(["a"])]
    assert kinds == [
        (WAKE, NOON - 10),
        (SLEEP, NOON - 5),
        (WAKE, NOON),
        (SLEEP, NOON - HOUR),
        (WAKE, NOON - HOUR + 60),
    ]
    assert [one.ended is None for one in spells.of(log.read(["a"]))] == [False, False, True]


def entry(at: float, kind: str, **facts: str) -> str:
    fields = {f"SOCKWAKE_{key.upper()}": value for key, value in facts.items()}
    known = {"SOCKWAKE_EVENT": kind, "SOCKWAKE_INSTANCE": "a", "_UID": "0"}
    return json.dumps(known | fields | {"__REALTIME_TIMESTAMP": f"{at * 1e6:.0f}"})


def test_only_what_is_awake_is_told_for_how_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asleep, awake, never = (Instance(Name(name), str(tmp_path)) for name in ("a", "b", "c"))
    for instance in (asleep, awake):
        Path(instance.run).mkdir(parents=True)
        Path(instance.wakes_file).write_text("900.00 - x\n940.00 5.00 10.0.0.7:1\n")
    monkeypatch.setattr(wakes, "now", lambda: 1000.0)
    wakes.note_sleep(asleep)
    assert wakes.awake([asleep, awake, never]) == {"b": 60}
