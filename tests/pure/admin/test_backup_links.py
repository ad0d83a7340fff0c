"""--root: backups and data that a link leads out of the tree are neither read nor changed.

For the system that boots from the tree the link leads to a place of its own.
"""

import json
import os
import shutil
from pathlib import Path

import pytest
from kind_examples import CONTAINER, make

from sockwake.admin.backup.restored import DONE, Note, Swap
from sockwake.config.instance import Instance, Name
from sockwake.errors import FAILED, USAGE
from sockwake.system.identity import identity
from test_backup import DATA, PLACE, cluster, with_cluster
from tree import Tree

OUT = "leads out of the tree, to "
COMMANDS = (
    ["backup", "pg1"],
    ["backups", "ls"],
    ["backups", "expire", "--all", "--keep", "1"],
    ["backups", "verify", "--all"],
    ["restore", "pg1"],
    ["restore", "pg1", "--as", "b"],
    ["copy", "pg1", "b"],
    ["status", "pg1"],
)


@pytest.fixture
def pg1(tree: Tree) -> Tree:
    """An instance with two backups of rows 42, and with rows 43 since."""
    with_cluster(tree, "pg1")
    for _ in range(2):
        assert tree.sockwake("backup", "pg1").status == 0
    (cluster(tree, "pg1") / "rows").write_text("43")
    return tree


def led_out(path: Path, outside: Path) -> None:
    """Have a link lead from a path to a place of this system that has what was there."""
    shutil.move(path, outside)
    path.symlink_to(outside)


def texts(directory: Path) -> dict[str, bytes]:
    """All files of a directory, by their paths."""
    return {str(each): each.read_bytes() for each in directory.rglob("*") if each.is_file()}


def refused(tree: Tree, words: list[str], outside: Path) -> None:
    before, theirs = tree.snapshot(), texts(outside)
    ran = tree.sockwake(*words)
    assert (ran.status, ran.stdout) == (USAGE if words[0] == "set" else FAILED, ""), ran
    assert OUT in ran.stderr and "(hint: make the link in it a relative one)" in ran.stderr, ran
    assert texts(outside) == theirs and os.listdir(outside.parent) == [outside.name], words
    assert {each for each in tree.added_to(before) if not each.endswith("/failure")} == set()


@pytest.mark.parametrize(
    ("place", "words"),
    [
        *((PLACE, words) for words in COMMANDS),
        # a copy has nothing to do with those of its source
        *((f"{PLACE}/pg1", words) for words in COMMANDS if words[0] != "copy"),
    ],
)
def test_backups_that_lie_outside_are_not_the_tree_s(
    pg1: Tree, tmp_path: Path, place: str, words: list[str]
) -> None:
    (tmp_path / "host").mkdir()
    led_out(pg1.path / place, tmp_path / "host/backups")
    refused(pg1, words, tmp_path / "host/backups")


@pytest.mark.parametrize(
    "words",
    [
        ["backup", "pg1"],
        ["restore", "pg1"],
        ["copy", "pg1", "b"],
        ["status", "pg1"],
        ["set", "pg1", "IDLE=9min"],
        ["rm", "pg1", "--purge"],
    ],
)
@pytest.mark.parametrize("is_named", [True, False])
def test_data_that_lie_outside_are_not_the_tree_s(
    tree: Tree, tmp_path: Path, words: list[str], is_named: bool
) -> None:
    with_cluster(tree, "pg1")
    assert tree.sockwake("backup", "pg1").status == 0
    (tmp_path / "host").mkdir()
    led_out(tree.path / DATA / "pg1", tmp_path / "host/pg1")
    if is_named:
        env = Path(tree.instance("pg1").env_file)
        env.write_text(f"{env.read_text()}DATA=/srv/pg1\n")
        (tree.path / "srv").mkdir()
        (tree.path / DATA / "pg1").rename(tree.path / "srv/pg1")
    refused(tree, words, tmp_path / "host/pg1")


def test_a_link_that_stays_in_the_tree_is_followed(tree: Tree) -> None:
    (tree.path / "srv/backups").mkdir(parents=True)
    (tree.path / PLACE).parent.mkdir(parents=True)
    (tree.path / PLACE).symlink_to("../../srv/backups")
    with_cluster(tree, "pg1")
    shutil.move(tree.path / DATA / "pg1", tree.path / "srv/pg1")
    (tree.path / DATA / "pg1").symlink_to("../../../srv/pg1")
    assert tree.sockwake("backup", "pg1").status == 0
    (cluster(tree, "pg1") / "rows").write_text("43")
    assert tree.sockwake("restore", "pg1").status == 0
    assert (cluster(tree, "pg1") / "rows").read_text() == "42"
    assert tree.sockwake("restore", "pg1", "--back").status == 0
    assert (cluster(tree, "pg1") / "rows").read_text() == "43"
    assert tree.sockwake("restore", "pg1", "--forget").status == 0
    assert sorted(os.listdir(tree.path / "srv")) == ["backups", "pg1"]
    assert tree.sockwake("copy", "pg1", "b").status == 0


def test_what_an_image_keeps_outside_is_not_the_tree_s(tree: Tree, tmp_path: Path) -> None:
    make(tree, "web", CONTAINER)
    volumes = tree.path / DATA / "bundles/web.volumes"
    (volumes / "cache").mkdir(parents=True)
    (volumes / "cache/file").write_text("42")
    assert tree.sockwake("backup", "web").status == 0
    (tmp_path / "host").mkdir()
    led_out(volumes, tmp_path / "host/volumes")
    for words in (["backup", "web"], ["restore", "web"]):
        refused(tree, words, tmp_path / "host/volumes")


@pytest.mark.parametrize("words", [["--back"], ["--forget"]])
def test_what_a_restore_has_kept_outside_is_not_the_tree_s(
    pg1: Tree, tmp_path: Path, words: list[str]
) -> None:
    assert pg1.sockwake("restore", "pg1").status == 0
    (tmp_path / "host").mkdir()
    led_out(pg1.path / DATA, tmp_path / "host/sockwake")
    refused(pg1, ["restore", "pg1", *words], tmp_path / "host/sockwake")


@pytest.mark.parametrize(
    "words",
    [["restore", "pg1", "--back"], ["restore", "pg1", "--forget"], ["rm", "pg1", "--purge"]],
)
def test_a_snapshot_s_note_of_a_restore_is_of_places_in_the_snapshot(
    pg1: Tree, tmp_path: Path, words: list[str]
) -> None:
    """There a directory has the inode and the birth of the one that this system has at its path."""
    host = tmp_path / "host"
    for name in ("pg1", "pg1.before"):
        (host / name).mkdir(parents=True)
        (host / name / "rows").write_text(name)
    place, beside = str(host / "pg1"), str(host / "pg1.before")
    swap = Swap(place, beside, identity(place), identity(beside))
    note = Note("2026-11-29T014000Z.files", DONE, (swap,), None, None)
    note.write(Instance(Name("pg1"), etc=pg1.instance("pg1").etc))  # as this system has it
    before = texts(host)
    ran = pg1.sockwake(*words)
    assert texts(host) == before, ran


def test_a_note_of_a_restore_has_places_as_the_tree_s_own_system_sees_them(pg1: Tree) -> None:
    assert pg1.sockwake("restore", "pg1").status == 0
    path = Path(pg1.instance("pg1").etc, "restored")
    (swap,) = json.loads(path.read_text())["swaps"]
    assert swap["place"] == f"/{DATA}/pg1" and swap["beside"].startswith(f"/{DATA}/pg1.before-")
    assert pg1.sockwake("restore", "pg1", "--back").status == 0
    assert (cluster(pg1, "pg1") / "rows").read_text() == "43"
    assert pg1.sockwake("restore", "pg1", "--forget").status == 0
    assert os.listdir(pg1.path / DATA) == ["pg1"]


def test_what_has_nothing_to_do_with_backups_goes_on(pg1: Tree, tmp_path: Path) -> None:
    """As on a snapshot of a machine whose backups are on another disk."""
    outside = tmp_path / "nas"
    led_out(pg1.path / PLACE, outside)
    theirs = texts(outside)
    assert pg1.sockwake("ls").status == 0
    assert pg1.sockwake("rm", "pg1").status == 0
    assert not (pg1.path / "etc/sockwake/pg1").exists() and texts(outside) == theirs
