"""What restore and upgrade keep: neither loses sight of it, and no copy has a part nothing knows.

Both exchange what is served for what is kept beside it.
"""

import struct
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from sockwake.admin import inventory
from sockwake.admin.upkeep import exchange, upgrade, upgraded
from sockwake.admin.upkeep.new_version import Wish
from sockwake.admin.upkeep.upgraded import DONE, MAKING, SWITCHING, Upgraded, Version
from sockwake.config.instance import Name
from sockwake.errors import EXISTS, FAILED, SockwakeError
from test_backup import DATA, with_cluster
from tree import Tree

MOVE = Upgraded(Version("17"), Version("18"), "upgrade", DONE)
PG1 = Name("pg1")
NOT_FINISHED = "from PostgreSQL 17 to 18 was not finished"


@pytest.fixture
def pg1(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> Tree:
    """An instance with a cluster and a backup; also upgrade, which knows no trees, finds it."""
    with_cluster(tree, "pg1")
    assert tree.sockwake("backup", "pg1").status == 0
    held = inventory.held
    monkeypatch.setattr(inventory, "held", lambda name: held(name, str(tree)))
    return tree


def with_both(tree: Tree, move: Upgraded = MOVE) -> None:
    """As it is behind an upgrade from 17: that cluster is the data directory itself."""
    tree.write_cluster(f"/{DATA}/17", "17")
    for each in (tree.path / DATA / "17").iterdir():
        each.rename(tree.path / DATA / "pg1" / each.name)
    (tree.path / DATA / "17").rmdir()
    upgraded.write(tree.instance("pg1"), move)


def unchanged(tree: Tree, *words: str) -> tuple[int, str]:
    """The status and the error of a command that has to change nothing."""
    before = tree.snapshot()
    ran = tree.sockwake(*words)
    assert tree.added_to(before) == [] and ran.stdout == "", ran
    return ran.status, ran.stderr


def test_nothing_is_restored_beside_the_cluster_that_an_upgrade_has_kept(pg1: Tree) -> None:
    assert pg1.sockwake("restore", "pg1").status == 0
    with_both(pg1)
    status, said = unchanged(pg1, "restore", "pg1", "--back")
    assert status == EXISTS and "still has its cluster of PostgreSQL 17" in said
    assert pg1.sockwake("restore", "pg1", "--forget").status == 0, "the way out of both"
    status, said = unchanged(pg1, "restore", "pg1")
    assert status == EXISTS and "still has its cluster of PostgreSQL 17" in said
    assert "(hint: sockwake upgrade --forget " in said and "pg1 deletes it)" in said
    assert "deleted the cluster of PostgreSQL 17" in upgrade.forget(PG1).said
    assert not (pg1.path / DATA / "pg1/PG_VERSION").exists()
    assert pg1.sockwake("restore", "pg1").status == 0


@pytest.mark.parametrize(
    "work", [partial(upgrade.upgrade, wish=Wish(19)), upgrade.back, upgrade.forget]
)
def test_nothing_is_upgraded_beside_what_a_restore_has_kept(
    pg1: Tree, work: Callable[[Name], object]
) -> None:
    assert pg1.sockwake("restore", "pg1").status == 0
    upgraded.write(pg1.instance("pg1"), MOVE)
    before = pg1.snapshot()
    with pytest.raises(SockwakeError, match="is kept of the last restore of 'pg1'") as caught:
        work(PG1)
    assert "sockwake restore pg1 --forget deletes that" in caught.value.hint
    assert pg1.added_to(before) == []


def test_a_cluster_that_is_not_there_was_not_deleted(pg1: Tree) -> None:
    upgraded.write(pg1.instance("pg1"), MOVE)
    assert upgrade.forget(PG1).said == "pg1 has no cluster of PostgreSQL 17 any more"
    assert upgraded.read(pg1.instance("pg1")) is None


@pytest.mark.parametrize(
    ("verb", "state"), [("copy", SWITCHING), ("rename", MAKING), ("restore", MAKING)]
)
def test_nothing_is_made_of_one_between_two_versions(pg1: Tree, verb: str, state: str) -> None:
    with_both(pg1, replace(MOVE, state=state))
    status, said = unchanged(pg1, verb, "pg1", *([] if verb == "restore" else ["pg2"]))
    assert status == FAILED and NOT_FINISHED in said
    assert "(hint: sockwake upgrade " in said and "pg1 --version 18 goes on)" in said


def write_control(tree: Tree, *, checkpoint: int, state: int = 1) -> None:
    """What the newer cluster says of itself; state: 1 when it was shut down."""
    place = tree.path / DATA / "pg1/18/docker/global"
    place.mkdir(exist_ok=True)
    head = struct.pack("=QIIi4xqQ", 1, 1800, 1, state, 0, checkpoint)
    (place / "pg_control").write_bytes(head)


@pytest.mark.parametrize("version", [17, 19])
def test_what_was_served_since_an_upgrade_was_killed_is_not_taken_back(
    pg1: Tree, monkeypatch: pytest.MonkeyPatch, version: int
) -> None:
    """Clients have written to it: behind a power cut nothing tells them that it is not finished."""
    monkeypatch.setattr(upgrade, "held_asleep", lambda *_: nullcontext())
    with_both(pg1, replace(MOVE, state=SWITCHING, checkpoint="0/2A"))
    write_control(pg1, checkpoint=43)
    before = pg1.snapshot()
    with pytest.raises(SockwakeError, match="has been served by PostgreSQL 18 since") as caught:
        upgrade.upgrade(PG1, Wish(version))
    assert "sockwake upgrade pg1 --version 18 finishes it" in caught.value.hint
    assert pg1.added_to(before) == []
    with pytest.raises(SockwakeError, match=NOT_FINISHED):
        upgrade.upgrade(PG1, Wish(18, check=True))
    assert pg1.added_to(before) == []


def test_whether_the_newer_cluster_was_served_its_control_file_tells(pg1: Tree) -> None:
    data = f"{pg1}/{DATA}/pg1"
    move = replace(MOVE, state=SWITCHING, checkpoint="0/2A")
    with_both(pg1, move)
    assert upgraded.read(pg1.instance("pg1")) == move
    write_control(pg1, checkpoint=42)
    assert not exchange.was_started(data, move)
    assert exchange.was_started(data, replace(move, checkpoint="")), "of an earlier version"
    write_control(pg1, checkpoint=42, state=6)
    assert exchange.was_started(data, move), "it runs, or was killed"
    write_control(pg1, checkpoint=43)
    assert exchange.was_started(data, move)
    (pg1.path / DATA / "pg1/18").rename(pg1.path / DATA / "pg1/elsewhere")
    assert not exchange.was_started(data, move), "it has not got its place yet"
    upgraded.write(pg1.instance("pg1"), move.done(""))
    assert "checkpoint" not in Path(upgraded.path(pg1.instance("pg1"))).read_text()


def versions(data: Path) -> list[str]:
    return sorted(f"{path.relative_to(data)}" for path in data.rglob("PG_VERSION"))


def test_copies_and_restored_data_have_the_served_cluster_alone(pg1: Tree) -> None:
    """Nothing would ever serve the other one, or delete it."""
    with_both(pg1)
    (pg1.path / DATA / "pg1/.upgrading").mkdir()  # of another upgrade that was killed
    served, both = ["18/docker/PG_VERSION"], ["18/docker/PG_VERSION", "PG_VERSION"]
    assert pg1.sockwake("copy", "pg1", "b").status == 0
    assert pg1.sockwake("backup", "pg1").status == 0
    assert pg1.sockwake("restore", "pg1", "--as", "c").status == 0
    for name in ("b", "c"):
        data = pg1.path / DATA / name
        assert versions(data) == served and [each.name for each in data.iterdir()] == ["18"]
        assert (data / "18/docker/rows").read_text() == "42"
    assert versions(pg1.path / DATA / "pg1") == both
    assert upgrade.forget(PG1)
    assert pg1.sockwake("restore", "pg1").status == 0
    assert versions(pg1.path / DATA / "pg1") == served


def test_nothing_is_made_of_a_backup_between_two_versions(pg1: Tree) -> None:
    with_both(pg1, replace(MOVE, state=SWITCHING))
    assert pg1.sockwake("backup", "pg1").status == 0
    upgraded.forget(pg1.instance("pg1"))
    for more in ([], ["--as", "pg2"]):
        status, said = unchanged(pg1, "restore", "pg1", *more)
        assert status == FAILED and "was made while an upgrade from PostgreSQL 17 to 18" in said
