"""sockwake history: what the events of a recorded journal come to."""

from recorded import BEGAN, BOOT, BOOTS, found

from sockwake.admin.measure import history, spells
from sockwake.admin.measure.events import FAILURE, SLEEP, STOPPING, WAKE, Event
from sockwake.admin.measure.log import Boot


def rows(name: str) -> list[dict[str, object]]:
    return history.listing(found(name), BOOTS)


def test_each_wake_is_one_line_with_its_sleep_and_why_it_ended() -> None:
    wakes = [row for row in rows("pg1") if row["event"] == "wake"]
    assert [row["why"] for row in wakes] == ["idle", "stopped", "idle"]
    assert all(isinstance(row["awake_seconds"], float) for row in wakes)
    assert all(row["memory_bytes"] for row in wakes)
    killed = [row for row in rows("pg2") if row["event"] == "wake"][-1]
    assert killed["why"] == "its container ended with status 137"
    assert [row["event"] for row in rows("pg2")] == ["wake", "wake"], "its failure is no other line"


def test_failures_refusals_and_strangers_have_lines_of_their_own_in_order() -> None:
    listed = rows("pg1")
    others = [row["event"] for row in listed if row["event"] != "wake"]
    assert others == ["strangers", "strangers", "failure", "refusal"]
    assert listed == sorted(listed, key=lambda row: str(row["when"]))


def test_the_table_has_titles_unless_they_are_not_wanted() -> None:
    with_titles = history.table(rows("pg1"), has_header=True).splitlines()
    without = history.table(rows("pg1"), has_header=False).splitlines()
    assert with_titles[0].split() == ["WHEN", "NAME", "EVENT", "CLIENT", "TOOK", "AWAKE", "WHY"]
    assert len(with_titles) == len(without) + 1
    assert "1 client " in with_titles[-2]


def wake(at: float, boot: str = BOOT) -> Event:
    return Event(at, "a", WAKE, boot, client="c", took=0.5)


def test_one_that_is_awake_has_no_end() -> None:
    (spell,) = spells.of([wake(BEGAN)], BOOTS)
    assert (spell.began, spell.ended, spell.why) == (BEGAN - 0.5, None, "")


def test_one_whose_machine_went_down_ended_with_it() -> None:
    boots = [Boot("old", 0, 500), Boot("new", 600, 900)]
    (spell,) = spells.of([wake(100, "old")], boots)
    assert (spell.ended, spell.why) == (500, spells.CRASHED)
    first, second = spells.of([wake(100, "old"), wake(700, "new")], boots)
    assert (first.ended, first.why, second.ended) == (500, spells.CRASHED, None)


def test_one_that_was_stopped_as_the_machine_went_down() -> None:
    boots = [Boot("old", 0, 500), Boot("new", 600, 900)]
    own = [
        wake(100, "old"),
        Event(480, "a", STOPPING, "old"),
        Event(490, "a", SLEEP, "old", awake=390),
    ]
    assert [spell.why for spell in spells.of(own, boots)] == [spells.SHUT_DOWN]
    assert [spell.why for spell in spells.of(own, boots[:1])] == [spells.STOPPED]


def test_a_sleep_whose_wake_is_older_than_the_journal_knows_how_long_it_was() -> None:
    (spell,) = spells.of([Event(100, "a", SLEEP, awake=30)], [])
    assert (spell.began, spell.ended, spell.wake) == (70, 100, None)
    assert spells.of([Event(100, "a", SLEEP)], []) == [], "a trial"


def test_a_wake_behind_a_wake_ends_the_one_before() -> None:
    first, _ = spells.of([wake(100), wake(200)], [])
    assert (first.ended, first.why) == (199.5, spells.UNKNOWN)


def test_a_failure_that_ends_nothing_is_told() -> None:
    own = [Event(100, "a", FAILURE, why="no image")]
    assert [row["why"] for row in history.listing(own, [])] == ["no image"]
