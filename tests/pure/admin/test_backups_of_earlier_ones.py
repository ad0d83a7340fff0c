"""Backups outlive their instance: another one of its name has its own, and a rename takes them."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from fault import KILLED, at_every_step, kill, undisturbed
from sockwake.admin import cli
from sockwake.admin.backup import listing
from sockwake.config.settings import load
from sockwake.errors import IN_USE
from sockwake.lifecycle import backups
from test_backup import DATA, PLACE, cluster, listed, with_cluster
from tree import Tree


def stamps(tree: Tree, name: str = "pg1", *, earlier: bool) -> list[str]:
    return [each["timestamp"] for each in listed(tree, name) if each["earlier"] is earlier]


@pytest.fixture
def again(tree: Tree) -> Tree:
    """Two backups of an instance that was removed, and another one of its name."""
    with_cluster(tree, "pg1")
    for _ in range(2):
        assert tree.sockwake("backup", "pg1").status == 0
    Path(backups.failure_file(tree.instance("pg1"))).write_text("2026-11-29T01:00:00Z full\n")
    ran = tree.sockwake("rm", "pg1", "--purge")
    assert ran.status == 0 and f"; left its backups in {tree}/{PLACE}/pg1" in ran.stdout, ran
    with_cluster(tree, "pg1")
    (cluster(tree, "pg1") / "rows").write_text("new")
    return tree


def test_they_are_listed_and_do_not_count(again: Tree) -> None:
    first, second = stamps(again, earlier=True)
    assert stamps(again, earlier=False) == []
    shown = again.sockwake("backups", "ls").stdout.splitlines()[1:]
    assert all(line.endswith("whole, of an earlier one") for line in shown)
    told = json.loads(again.sockwake("status", "pg1", "--json").stdout)["backup"]
    assert (told["count"], told["last_good"], told["failure"]) == (0, None, None)
    assert stamps(again, earlier=True) == [first, second]


def test_one_is_restored_when_it_is_said_or_there_is_no_other(again: Tree) -> None:
    rows = cluster(again, "pg1") / "rows"
    assert again.sockwake("restore", "pg1").status == 0 and rows.read_text() == "42"
    assert again.sockwake("restore", "pg1", "--back").status == 0 and rows.read_text() == "new"
    assert again.sockwake("restore", "pg1", "--forget").status == 0
    assert again.sockwake("backup", "pg1").status == 0
    rows.write_text("newer")
    assert again.sockwake("restore", "pg1").status == 0 and rows.read_text() == "new"
    assert again.sockwake("restore", "pg1", "--forget").status == 0
    first = stamps(again, earlier=True)[0]
    assert again.sockwake("restore", "pg1", "--from", first).status == 0
    assert rows.read_text() == "42"


def test_that_one_is_of_an_earlier_instance_is_said(again: Tree) -> None:
    second = stamps(again, earlier=True)[-1]
    warning = (
        f"sockwake: warning: instance 'pg1' has no such backup of its own, and {second} is of an "
        "earlier one of its name\n"
    )
    beside = again.sockwake("restore", "pg1", "--as", "then")
    assert beside.stdout.startswith(f"Made then, a copy of an earlier pg1 as of {second}, ")
    ran = again.sockwake("restore", "pg1")
    assert (ran.status, ran.stderr, beside.stderr) == (0, warning, warning), ran
    told = f"pg1 has the data of {second} of an earlier instance of its name; those it had are kept"
    assert ran.stdout.startswith(told)
    assert again.sockwake("restore", "pg1", "--forget").status == 0
    ran = again.sockwake("restore", "pg1", "--from", second)
    assert (ran.status, ran.stderr) == (0, "") and ran.stdout.startswith(told), "it was asked for"
    assert again.sockwake("restore", "pg1", "--forget").status == 0
    assert again.sockwake("backup", "pg1").status == 0
    ran = again.sockwake("restore", "pg1")
    assert ran.stderr == "" and ran.stdout.startswith("pg1 has its data of "), ran


@pytest.mark.parametrize("by_hand", [True, False])
def test_they_do_not_expire_for_the_new_one(again: Tree, by_hand: bool) -> None:
    before = stamps(again, earlier=True)
    if not by_hand:
        assert again.sockwake("set", "pg1", "KEEP_BACKUPS=1").status == 0
    for _ in range(3):
        assert again.sockwake("backup", "pg1").status == 0
    if by_hand:
        ran = again.sockwake("backups", "expire", "pg1", "--keep", "1")
        assert ran.stdout.count("Deleted") == 2, ran
    assert stamps(again, earlier=True) == before
    (own,) = stamps(again, earlier=False)
    assert own > before[-1]
    # of one that is removed, too, there is nobody left to whom they matter
    assert again.sockwake("rm", "pg1").status == 0
    assert again.sockwake("backups", "expire", "pg1", "--keep", "1").stdout.count("Deleted") == 2
    assert [each["timestamp"] for each in listed(again)] == [own]


def test_a_directory_that_is_empty_is_not_that_of_an_earlier_one(again: Tree) -> None:
    """What an earlier one had in it is no reason to take its disk for missing."""
    assert again.sockwake("rm", "pg1", "--purge").status == 0
    image = ("--kind", "container", "--image", "x:1", "--container-port", "80", "--mount", "/d")
    ran = again.sockwake("new", "pg1", *image)
    assert ran.status == 0, ran
    (again.path / DATA / "pg1").mkdir(parents=True, exist_ok=True)
    ran = again.sockwake("backup", "pg1")
    assert "is its disk mounted" not in ran.stderr, ran


def test_one_that_takes_over_the_data_has_their_backups(again: Tree) -> None:
    assert again.sockwake("backup", "pg1").status == 0
    own = stamps(again, earlier=False)
    assert again.sockwake("rm", "pg1").status == 0
    again.new("pg1")
    assert stamps(again, earlier=False) == own


def test_one_that_is_made_again_has_its_own(again: Tree) -> None:
    assert again.sockwake("backup", "pg1").status == 0
    before = stamps(again, earlier=True), stamps(again, earlier=False)
    assert again.sockwake("rm", "pg1", "--purge").status == 0
    assert again.sockwake("restore", "pg1").status == 0
    assert (cluster(again, "pg1") / "rows").read_text() == "new"
    assert (stamps(again, earlier=True), stamps(again, earlier=False)) == before


def test_a_copy_has_none_of_its_name(again: Tree) -> None:
    assert again.sockwake("rm", "pg1", "--purge").status == 0
    with_cluster(again, "shop")
    assert again.sockwake("copy", "shop", "pg1", "--keep-password").status == 0
    assert stamps(again, earlier=False) == [] and len(stamps(again, earlier=True)) == 2


def names(tree: Tree, name: str) -> list[str]:
    place = tree.path / PLACE / name
    return sorted(os.listdir(place)) if place.is_dir() else []


def test_a_rename_takes_them(tree: Tree) -> None:
    with_cluster(tree, "pg1")
    assert tree.sockwake("backup", "pg1").status == 0
    had = names(tree, "pg1")
    (tree.path / PLACE / "shop").mkdir()  # of one whose backups are all gone
    ran = tree.sockwake("rename", "pg1", "shop")
    assert (ran.status, ran.stdout, ran.stderr) == (0, "pg1 is shop now.\n", "")
    assert (names(tree, "pg1"), names(tree, "shop")) == ([], had)
    assert [each["instance"] for each in listed(tree)] == ["shop"]
    assert tree.sockwake("backup", "shop", "--if-changed").status == 0
    (cluster(tree, "shop") / "rows").write_text("43")
    assert tree.sockwake("restore", "shop", "--from", had[0].partition(".")[0]).status == 0
    assert (cluster(tree, "shop") / "rows").read_text() == "42"
    # removed, and made again of the backup that has the old name in it
    assert tree.sockwake("rm", "shop", "--purge").status == 0
    assert tree.sockwake("restore", "shop", "--from", had[0]).status == 0
    assert load(tree.instance("shop")).data == f"{tree}/{DATA}/shop"
    assert (cluster(tree, "shop") / "rows").read_text() == "42"


def test_a_rename_leaves_them_where_there_are_others(again: Tree) -> None:
    with_cluster(again, "shop")
    assert again.sockwake("backup", "shop").status == 0
    before = names(again, "pg1"), names(again, "shop")
    assert again.sockwake("rm", "pg1", "--purge").status == 0
    ran = again.sockwake("rename", "shop", "pg1")
    assert ran.status == 0
    assert f"its backups stay in {again}/{PLACE}/shop, as {again}/{PLACE}/pg1 has" in ran.stdout
    assert (names(again, "pg1"), names(again, "shop")) == before


def test_a_renamed_one_has_none_of_an_earlier_one_of_its_name(again: Tree) -> None:
    before = stamps(again, earlier=True)
    failed = Path(backups.failure_file(again.instance("pg1")))
    assert again.sockwake("rm", "pg1", "--purge").status == 0
    failed.write_text("2026-11-29T01:00:00Z full\n")
    with_cluster(again, "shop")
    assert again.sockwake("rename", "shop", "pg1").status == 0
    assert (stamps(again, earlier=True), stamps(again, earlier=False)) == (before, [])
    assert not failed.exists()
    assert again.sockwake("set", "pg1", "KEEP_BACKUPS=1").status == 0
    (cluster(again, "pg1") / "rows").write_text("own")
    for _ in range(2):
        assert again.sockwake("backup", "pg1").status == 0
    assert stamps(again, earlier=True) == before
    restored = listing.usable(again.instance("pg1"), "")
    assert Path(restored.data, "18/docker/rows").read_text() == "own"


def test_what_an_earlier_one_has_noted_is_no_backup(tree: Tree) -> None:
    """The directory has notes alone: that its backups failed, and which were of one before it."""
    with_cluster(tree, "shop")
    assert tree.sockwake("backup", "shop").status == 0
    place = tree.path / PLACE / "pg1"
    place.mkdir()
    (place / "failure").write_text("2026-11-29T01:00:00Z full\n")
    (place / "earlier").write_text("2026-01-01T000000Z.files\n")
    had = names(tree, "shop")
    ran = tree.sockwake("rename", "shop", "pg1")
    assert (ran.status, ran.stdout) == (0, "shop is pg1 now.\n")
    assert names(tree, "pg1") == had
    assert tree.sockwake("rm", "pg1", "--purge").status == 0
    for each in had:
        shutil.rmtree(place / each)
    (place / "failure").write_text("2026-11-29T01:00:00Z full\n")
    with_cluster(tree, "pg1")
    assert names(tree, "pg1") == []


def test_a_rename_waits_for_who_uses_them(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    from sockwake.admin.backup import staged

    with_cluster(tree, "pg1")
    assert tree.sockwake("backup", "pg1").status == 0
    monkeypatch.setattr(staged, "_LONGEST", 0.1)
    before = tree.snapshot()
    with staged.locked(tree.instance("pg1")):
        ran = undisturbed(lambda: cli.main(["rename", "pg1", "shop", "--root", str(tree)]))
    assert ran.status == IN_USE and "the backups of 'pg1'" in ran.stderr
    assert tree.added_to(before) == []


def test_a_rename_that_is_killed_loses_none(tree: Tree) -> None:
    with_cluster(tree, "pg1")
    assert tree.sockwake("backup", "pg1").status == 0
    (had,) = names(tree, "pg1")
    words = ["pg1", "shop"]
    for ended in at_every_step(lambda: cli.main(["rename", *words, "--root", str(tree)]), kill):
        assert ended.status == (KILLED if ended.reached else 0), ended
        undisturbed(lambda: cli.main(["rename", *words, "--root", str(tree)]))
        assert (names(tree, words[0]), names(tree, words[1])) == ([], [had]), ended
        assert stamps(tree, words[1], earlier=True) == [], ended
        words.reverse()


def test_a_rename_that_is_killed_takes_none_of_an_earlier_one(again: Tree) -> None:
    place = again.path / PLACE
    before = stamps(again, earlier=True)
    assert again.sockwake("rm", "pg1", "--purge").status == 0
    with_cluster(again, "shop")
    reached = 0
    for ended in at_every_step(rename(again, "shop", "pg1"), kill):
        reached = max(reached, ended.step)
        undisturbed(rename(again, "shop", "pg1"))
        assert os.path.isdir(again.instance("pg1").etc), ended
        assert (stamps(again, earlier=True), stamps(again, earlier=False)) == (before, []), ended
        # as it was before
        assert undisturbed(rename(again, "pg1", "shop")).status == 0
        (place / "shop").rename(place / "pg1")
        (place / "pg1/earlier").unlink()
    assert reached > 10


def rename(tree: Tree, old: str, new: str) -> Callable[[], int]:
    return lambda: cli.main(["rename", old, new, "--root", str(tree)])
