"""What is due of a cluster that sleeps, by its control data and what the last upkeep noted."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from env_file import env
from sockwake.config.settings import load
from sockwake.lifecycle import upkeep
from sockwake.lifecycle.upkeep import CHECKSUMS, COLLATION, FREEZE, VACUUM, Note
from sockwake.postgres.controldata import ControlData
from tree import Tree

NOW, DAY = 1_795_885_200.0, 86_400.0
YOUNG = ControlData(
    format=1800,
    catalog=202506291,
    system=7,
    state="shut down",
    checkpoint=100 << 20,
    redo=100 << 20,
    timeline=1,
    next_xid=900,
    oldest_xid=730,
    next_multi=1,
    oldest_multi=1,
    checksums=True,
    segment=16 << 20,
)
DONE = Note(
    finished=NOW - DAY,
    wal=100 << 20,
    frozen_xid=900,
    frozen_multi=1,
    sorts_by="sha256:a",
    verified=NOW - DAY,
)


def works(
    control: ControlData, note: Note | None = DONE, sorts: str = "sha256:a", *mismatched: str
) -> list[str]:
    return [each.work for each in upkeep.due(control, note, sorts, [*mismatched], NOW)]


def test_nothing_is_due_of_what_has_not_changed() -> None:
    assert works(YOUNG) == []


def test_all_but_freezing_is_due_of_what_was_never_maintained() -> None:
    assert works(YOUNG, None) == [VACUUM, CHECKSUMS]
    assert works(replace(YOUNG, checksums=False), None) == [VACUUM]


@pytest.mark.parametrize(
    ("age", "frozen", "is_due"),
    [
        (99_999_999, None, False),
        (100_000_000, None, True),
        # template0, which only autovacuum reaches, and not before it is twice as old
        (150_000_000, 100_000, False),
        (150_000_000, 120_000_000, True),
        (200_000_000, 100_000, True),
    ],
)
@pytest.mark.parametrize("next_xid", [3_000_000_000, 50_000_000])
def test_a_cluster_is_frozen_before_autovacuum_must(
    next_xid: int, age: int, frozen: int | None, is_due: bool
) -> None:
    """frozen: how many transactions ago it was. Counted in 32 bits, which wrap."""
    old = (next_xid - age) % (1 << 32)
    note = replace(DONE, frozen_xid=None if frozen is None else (next_xid - frozen) % (1 << 32))
    aged = replace(YOUNG, next_xid=next_xid, oldest_xid=old)
    assert (FREEZE in works(aged, note)) == is_due
    doubled = replace(YOUNG, next_multi=next_xid, oldest_multi=(next_xid - 2 * age) % (1 << 32))
    multi = None if frozen is None else (next_xid - 2 * frozen) % (1 << 32)
    assert (FREEZE in works(doubled, replace(DONE, frozen_multi=multi))) == is_due


def test_a_look_is_due_when_as_much_was_written_as_a_segment_of_the_wal() -> None:
    assert works(replace(YOUNG, redo=(116 << 20) - 1)) == []
    [one] = upkeep.due(replace(YOUNG, redo=164 << 20), DONE, "sha256:a", [], NOW)
    assert one.why == "64 MiB of WAL were written since the last upkeep"


def test_data_of_before_the_last_upkeep_are_a_reason() -> None:
    """As behind a restore, or an upgrade by a dump; a crash loses no more than a checkpoint."""
    later = replace(DONE, wal=1 << 30)
    [one] = upkeep.due(YOUNG, later, "sha256:a", [], NOW)
    assert (one.work, one.why) == (VACUUM, "its data are from before the last upkeep")
    assert works(replace(YOUNG, redo=later.wal - (1 << 20)), later) == []


def test_another_c_library_is_a_reason() -> None:
    assert works(YOUNG, DONE, "sha256:b") == [COLLATION]
    assert works(YOUNG, DONE, "sha256:a", "shop", "web") == [COLLATION]


def test_pages_are_verified_every_four_weeks() -> None:
    assert works(YOUNG, replace(DONE, verified=NOW - 28 * DAY)) == []
    assert works(YOUNG, replace(DONE, verified=NOW - 29 * DAY)) == [CHECKSUMS]


def test_pages_that_were_verified_by_a_clock_that_was_ahead_are_verified_again() -> None:
    """Else not before that time has come, which may be years."""
    [one] = upkeep.due(YOUNG, replace(DONE, verified=NOW + 999 * DAY), "sha256:a", [], NOW)
    assert (one.work, one.why) == (
        CHECKSUMS,
        "the clock was set back since its pages were verified",
    )


def test_a_note_is_whole_or_none_and_goes_with_the_name(tree: Tree) -> None:
    instance, other = tree.write_env("pg1", env()), tree.write_env("shop", env(PORT="25433"))
    assert upkeep.read(instance) is None
    upkeep.write(instance, DONE)
    assert upkeep.read(instance) == DONE
    upkeep.hand_on(instance, other)
    upkeep.hand_on(instance, other)
    assert (upkeep.read(instance), upkeep.read(other)) == (None, DONE)
    path = Path(upkeep.note_file(other))
    for text in ("", "[]", '{"done": 1}', json.dumps({"done": [], "later": 1})):
        path.write_text(text)
        assert upkeep.read(other) is None
    upkeep.forget(other)
    upkeep.forget(other)
    assert not path.exists()


def test_the_image_is_what_sorts_texts_or_the_host_s_library(tree: Tree) -> None:
    instance = tree.write_env("pg1", env(RUNTIME="engine"))
    assert upkeep.sorts_by(instance, load(instance)) == "postgres:18"
    host = tree.write_env("host", env(RUNTIME="host", PORT="25433"))
    assert upkeep.sorts_by(host, load(host)).startswith("glibc ")
