"""sockwake backup, and sockwake backups: whole or not at all."""

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kind_examples import CONTAINER, make

from fault import KILLED, at_every_step, disk_full, kill, undisturbed
from sockwake.admin import cli
from sockwake.admin.backup import expiry
from sockwake.errors import FAILED, UNKNOWN, USAGE
from sockwake.lifecycle import backups
from sockwake.lifecycle.backups import Backup
from tree import Tree

DATA = "var/lib/sockwake"
PLACE = "var/backups/sockwake"


@pytest.fixture
def pg1(tree: Tree) -> Tree:
    """A tree with an instance that has been awake: it has a cluster, and a password."""
    return with_cluster(tree, "pg1")


def with_cluster(tree: Tree, name: str) -> Tree:
    tree.new(name)
    os.unlink(tree.instance(name).uninitialised_file)
    Path(tree.instance(name).password_file).write_text("secret\n")
    os.chmod(tree.instance(name).password_file, 0o600)
    tree.write_cluster(f"/{DATA}/{name}/18/docker", "18")
    rows = cluster(tree, name) / "rows"
    rows.write_text("42")
    rows.chmod(0o600)
    (cluster(tree, name) / "link").symlink_to("rows")
    return tree


def cluster(tree: Tree, name: str) -> Path:
    return tree.path / DATA / name / "18/docker"


def backup(tree: Tree, *words: str) -> Callable[[], int]:
    return lambda: cli.main(["backup", *words, "--root", str(tree)])


def listed(tree: Tree, *words: str) -> list[dict[str, Any]]:
    ran = tree.sockwake("backups", "ls", "--json", *words)
    assert ran.status == 0, ran
    found: list[dict[str, Any]] = json.loads(ran.stdout)
    return found


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_a_backup_has_files_and_data_with_their_modes(pg1: Tree) -> None:
    before = pg1.snapshot()
    ran = pg1.sockwake("backup", "pg1")
    assert (ran.status, ran.stderr) == (0, ""), ran
    (found,) = listed(pg1)
    path = Path(found["path"])
    assert ran.stdout == f"Backed up pg1 in {path} ({found_size(path)}).\n"
    assert (found["method"], found["kind"], found["version"]) == ("files", "postgres", "18")
    assert (path / "data/18/docker/rows").read_text() == "42"
    assert mode(path / "data/18/docker/rows") == 0o600
    assert os.readlink(path / "data/18/docker/link") == "rows"
    assert (path / "instance/password").read_text() == "secret\n"
    assert mode(path / "instance/password") == 0o600
    assert [mode(each) for each in (path, path.parent, path.parent.parent)] == [0o700] * 3
    assert all(each.startswith("var/backups") for each in pg1.added_to(before)), "it is as it was"
    text = pg1.sockwake("backups", "ls").stdout.splitlines()
    assert text[0].split() == ["INSTANCE", "TIMESTAMP", "METHOD", "SIZE", "VERSION", "STATE"]
    assert text[1].split()[:3] == ["pg1", found["timestamp"], "files"]


def found_size(path: Path) -> str:
    status = json.loads((path / "status").read_text())
    return f"{status['bytes'] / 1024:.1f}K"


def test_one_that_was_never_awake_is_no_failure_of_a_timer(tree: Tree) -> None:
    tree.new("pg1")
    ran = tree.sockwake("backup", "pg1", "--if-changed")
    assert (ran.status, ran.stdout) == (0, "")
    assert "pg1: instance 'pg1' has no data yet: it has never been awake" in ran.stderr
    assert tree.sockwake("backup", "pg1").status == 1, "it is, when that is said"
    assert listed(tree) == []


def test_one_that_has_not_been_awake_since_is_not_backed_up_again(pg1: Tree) -> None:
    assert pg1.sockwake("backup", "pg1", "--if-changed").status == 0
    (first,) = listed(pg1)
    ran = pg1.sockwake("backup", "--all", "--if-changed")
    said = f"pg1 has not been awake since its backup of {first['timestamp']}.\n"
    assert (ran.status, ran.stdout) == (0, said)
    (cluster(pg1, "pg1") / "rows").write_text("43")
    assert pg1.sockwake("backup", "pg1", "--if-changed").status == 0
    assert len(listed(pg1)) == 2
    assert pg1.sockwake("backup", "pg1").status == 0, "it is, when that is said"
    assert len(listed(pg1, "pg1")) == 3


def test_the_oldest_expire_and_the_last_good_one_never_does(pg1: Tree) -> None:
    for _ in range(3):
        assert pg1.sockwake("backup", "pg1").status == 0
    newest = listed(pg1)[-1]["timestamp"]
    assert pg1.sockwake("backups", "expire", "pg1").status == USAGE, "it keeps all"
    ran = pg1.sockwake("backups", "expire", "pg1", "--keep", "0")
    assert ran.status == USAGE and "the last good one always stays" in ran.stderr
    ran = pg1.sockwake("backups", "expire", "--all", "--keep", "1")
    assert ran.stdout.count("Deleted the files backup") == 2, ran
    assert [each["timestamp"] for each in listed(pg1)] == [newest]
    assert os.listdir(pg1.path / PLACE / "pg1") == [f"{newest}.files"]


def test_of_a_clock_that_was_set_back_the_last_one_made_is_the_newest(pg1: Tree) -> None:
    """Else it would be deleted as soon as it is made, and a restore would take an older one."""
    assert pg1.sockwake("backup", "pg1").status == 0
    (old,) = listed(pg1)
    os.rename(old["path"], pg1.path / PLACE / "pg1/2199-12-31T235959Z.files")
    for rows in ("43", "44"):
        (cluster(pg1, "pg1") / "rows").write_text(rows)
        assert pg1.sockwake("backup", "pg1").status == 0
    found = listed(pg1)
    kept = [Path(each["path"], "data/18/docker/rows").read_text() for each in found]
    assert kept == ["42", "43", "44"]
    assert abs(found[-1]["started"] - old["started"]) < 100, "its status has the time of the clock"
    assert pg1.sockwake("backups", "expire", "pg1", "--keep", "1").status == 0
    (left,) = listed(pg1)
    assert left == found[-1]
    (cluster(pg1, "pg1") / "rows").write_text("45")
    assert pg1.sockwake("restore", "pg1").status == 0
    assert (cluster(pg1, "pg1") / "rows").read_text() == "44"


def made(stamp: str, damage: str = "") -> Backup:
    return Backup("pg1", stamp, backups.FILES, "", 0, 0, 0, damage)


@pytest.mark.parametrize(
    ("found", "keep", "gone"),
    [
        ("", 1, ""),
        ("abc", 1, "ab"),
        ("abc", 3, ""),
        ("abc", 9, ""),
        ("abC", 1, "a"),
        ("aBC", 1, ""),
        ("ABC", 1, ""),
        ("AbCdE", 1, "AbC"),
        ("AbCdE", 2, "A"),
    ],
)
def test_what_is_damaged_counts_for_nothing(found: str, keep: int, gone: str) -> None:
    """Capital letters are damaged ones."""
    every = [made(each, "damaged" if each.isupper() else "") for each in found]
    assert "".join(each.stamp for each in expiry.beyond(every, keep)) == gone


def test_what_has_no_data_is_told_and_keeps_none_of_all_from_theirs(pg1: Tree) -> None:
    pg1.new("new")
    make(pg1, "web", CONTAINER)
    ran = pg1.sockwake("backup", "new")
    assert (ran.status, ran.stdout) == (FAILED, "")
    assert "has no data yet: it has never been awake" in ran.stderr
    ran = pg1.sockwake("backup", "--all")
    assert ran.status == 0 and ran.stdout.startswith("Backed up pg1 in "), ran
    assert "web: instance 'web' keeps no data" in ran.stderr


def test_containers_are_backed_up_with_what_their_image_keeps(tree: Tree) -> None:
    make(tree, "web", [*CONTAINER, "--mount", "/data"])
    os.unlink(tree.instance("web").uninitialised_file)
    (tree.path / DATA / "web").mkdir(parents=True)
    (tree.path / DATA / "web/file").write_text("x")
    kept = tree.path / DATA / "bundles/web.volumes/srv%2Fcache"
    kept.mkdir(parents=True)
    (kept / "file").write_text("y")
    assert tree.sockwake("backup", "web").status == 0
    path = Path(listed(tree)[0]["path"])
    assert (path / "data/file").read_text() == "x"
    assert (path / "volumes/srv%2Fcache/file").read_text() == "y"


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ([], USAGE, "say which instances"),
        (["nobody"], UNKNOWN, "there is no instance 'nobody'"),
        (["pg1", "--all"], USAGE, "exclude each other"),
        (["pg1", "--dump"], FAILED, "in a tree no server can be started"),
        (["web", "--dump"], FAILED, "has no databases to dump"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    pg1: Tree, words: list[str], status: int, said: str
) -> None:
    make(pg1, "web", [*CONTAINER, "--mount", "/data"])
    ran = pg1.sockwake("backup", *words)
    assert (ran.status, ran.stdout) == (status, ""), ran
    assert ran.stderr.startswith("sockwake: error: ") and said in ran.stderr, ran
    assert listed(pg1) == []


@pytest.mark.parametrize("part", ["pg_wal", "pg_tblspc/1"])
def test_a_cluster_that_is_not_all_in_one_place_is_not_copied(pg1: Tree, part: str) -> None:
    link = cluster(pg1, "pg1") / part
    link.parent.mkdir(exist_ok=True)
    link.symlink_to("/srv/other")
    ran = pg1.sockwake("backup", "pg1")
    assert ran.status == FAILED and "outside of its data directory" in ran.stderr
    assert "--dump backs up all" in ran.stderr and listed(pg1) == []
    failed = backups.failure(pg1.instance("pg1"))
    assert failed and "outside of its data directory" in failed.why
    link.unlink()
    assert pg1.sockwake("backup", "pg1").status == 0
    assert backups.failure(pg1.instance("pg1")) is None


def test_others_things_are_neither_listed_nor_deleted(pg1: Tree) -> None:
    place = pg1.path / PLACE / "pg1"
    for name in ("2026-01-01T000000Z.files", ".new-mine", ".rm-2026", "2026-01-01T000000Z.tar"):
        (place / name).mkdir(parents=True)
    for _ in range(2):
        assert pg1.sockwake("backup", "pg1").status == 0
    assert pg1.sockwake("backups", "expire", "pg1", "--keep", "1").status == 0
    assert len(listed(pg1)) == 1
    assert {".new-mine", ".rm-2026", "2026-01-01T000000Z.files"} < set(os.listdir(place))


def test_killed_at_any_step_it_is_whole_or_absent(pg1: Tree) -> None:
    work, reached = backup(pg1, "pg1"), 0
    place = pg1.path / PLACE / "pg1"
    for ended in at_every_step(work, kill):
        reached = max(reached, ended.step)
        assert ended.status == (KILLED if ended.reached else 0), ended
        for each in backups.of(pg1.instance("pg1")):
            assert Path(each.data, "18/docker/rows").read_text() == "42", ended
            assert Path(each.instance_files, "password").read_text() == "secret\n", ended
        assert undisturbed(work).status == 0, ended
        assert all(not name.startswith(".") for name in os.listdir(place)), ended
        assert undisturbed(backups_expire(pg1)).status == 0
    assert reached > 10


def backups_expire(tree: Tree) -> Callable[[], int]:
    return lambda: cli.main(["backups", "expire", "--all", "--keep", "1", "--root", str(tree)])


def test_killed_at_any_step_expiry_leaves_whole_ones_alone(pg1: Tree) -> None:
    for ended in at_every_step(backups_expire(pg1), kill):
        for _ in range(2):
            assert undisturbed(backup(pg1, "pg1")).status == 0
        found = backups.of(pg1.instance("pg1"))
        assert found and all(
            Path(each.data, "18/docker/rows").read_text() == "42" for each in found
        ), ended
        if not ended.reached and ended.step > 1:
            break


def test_after_an_error_nothing_is_left_but_its_reason(pg1: Tree) -> None:
    place = pg1.path / PLACE / "pg1"
    for ended in at_every_step(backup(pg1, "pg1"), disk_full):
        if ended.status and place.exists():
            assert ended.stderr.startswith("sockwake: error: "), ended
            whole = {Path(each.path).name for each in backups.of(pg1.instance("pg1"))}
            assert set(os.listdir(place)) <= whole | {"failure", "failure.new"}, ended
