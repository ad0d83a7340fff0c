"""Several instances are backed up, and their backups expire: one that fails keeps no other."""

import json
import os
import shutil
from pathlib import Path

import pytest

from sockwake.admin.each import try_each
from sockwake.config.instance import Name
from sockwake.errors import FAILED, UNKNOWN, USAGE
from test_backup import PLACE, listed, with_cluster
from tree import SOCKWAKE, Ran, Tree, run, unchangeable


@pytest.fixture
def three(tree: Tree) -> Tree:
    """Instances with two backups each, of which the second keeps all."""
    for name in ("a1", "b1", "c1"):
        with_cluster(tree, name)
        for _ in range(2):
            assert tree.sockwake("backup", name).status == 0
    for name in ("a1", "c1"):
        assert tree.sockwake("set", name, "KEEP_BACKUPS=1").status == 0
    return tree


def counts(tree: Tree) -> list[int]:
    names = [each["instance"] for each in listed(tree)]
    return [names.count(name) for name in ("a1", "b1", "c1")]


def deleted(ran: Ran) -> list[str]:
    """The instances of the backups that were told to be deleted."""
    return [line.rstrip(".").rpartition(" ")[2] for line in ran.stdout.splitlines()]


def test_those_that_keep_all_are_passed_over(three: Tree) -> None:
    shutil.rmtree(three.path / PLACE / "c1" / os.path.basename(listed(three, "c1")[0]["path"]))
    assert three.sockwake("rm", "b1").status == 0
    ran = three.sockwake("backups", "expire", "--all")
    assert (ran.status, ran.stderr, deleted(ran)) == (0, "", ["a1"])
    ran = three.sockwake("backups", "expire", "--all")
    assert (ran.status, ran.stdout) == (0, "There is nothing to delete among 4 backups.\n")
    assert three.sockwake("backups", "expire", "--all", "--keep", "1").status == 0
    assert counts(three) == [1, 1, 1]


@pytest.mark.parametrize("json_too", [False, True])
def test_one_that_is_named_and_keeps_all_is_told_and_stops_none(
    three: Tree, json_too: bool
) -> None:
    options = ["--json"] if json_too else []
    ran = three.sockwake("backups", "expire", "a1", "b1", "c1", *options)
    assert ran.status == USAGE and "sockwake: b1: 'b1' keeps all its backups" in ran.stderr
    assert ran.stderr.splitlines()[1].startswith("(hint: ")
    assert ran.stderr.splitlines()[2:] == ["sockwake: error: the backups of some did not expire"]
    told = [row["instance"] for row in json.loads(ran.stdout)] if json_too else deleted(ran)
    assert told == ["a1", "c1"] and counts(three) == [1, 2, 1]
    ran = three.sockwake("backups", "expire", "b1", *options)
    assert ran.status == USAGE and ran.stderr.startswith("sockwake: error: 'b1' keeps all")


@pytest.mark.parametrize("json_too", [False, True])
def test_what_has_expired_is_told_though_the_next_cannot_be_deleted(
    three: Tree, json_too: bool
) -> None:
    assert three.sockwake("backup", "a1").status == 0  # the older one expires
    assert three.sockwake("set", "a1", "KEEP_BACKUPS=").status == 0
    for _ in range(2):
        assert three.sockwake("backup", "a1").status == 0
    first, second, _ = (Path(each["path"]) for each in listed(three, "a1"))
    with unchangeable(second):
        options = ["--json"] if json_too else []
        ran = three.sockwake("backups", "expire", "--all", "--keep", "1", *options)
    assert ran.status == FAILED and f"sockwake: a1: cannot use {second}: oper" in ran.stderr, ran
    told = [row["instance"] for row in json.loads(ran.stdout)] if json_too else deleted(ran)
    assert told == ["a1", "b1", "c1"] and not first.exists()
    assert counts(three) == [2, 1, 1]


def test_a_backup_that_was_made_is_told_though_an_older_one_stays(three: Tree) -> None:
    older = Path(listed(three, "a1")[-1]["path"])
    with unchangeable(older):
        ran = three.sockwake("backup", "a1")
        assert ran.status == FAILED and ran.stdout.startswith("Backed up a1 in "), ran
        assert "; an older one has expired.\n" in ran.stdout
        assert f"not all older backups of 'a1' could be deleted: cannot use {older}" in ran.stderr
        ran = three.sockwake("backup", "--all", "--json")
    assert [row["instance"] for row in json.loads(ran.stdout)] == ["a1", "b1", "c1"], ran
    assert "sockwake: a1: not all older backups of 'a1'" in ran.stderr


@pytest.mark.parametrize("is_link", [False, True])
def test_a_place_that_cannot_be_used_keeps_no_other_from_its_backup(
    three: Tree, is_link: bool
) -> None:
    place = three.path / PLACE / "a1"
    shutil.rmtree(place)
    if is_link:
        place.symlink_to("../unmounted")
    else:
        place.write_text("")
    ran = three.sockwake("backup", "--all")
    assert (ran.status, counts(three)) == (FAILED, [0, 3, 1]), ran
    assert ran.stdout.count("Backed up ") == 2
    assert f"sockwake: a1: cannot use {place}: not a directory" in ran.stderr
    assert "sockwake: error: not all of them were backed up" in ran.stderr


def test_an_unchangeable_file_keeps_no_other_from_removal(three: Tree) -> None:
    data = three.path / "var/lib/sockwake/a1/18/docker"
    with unchangeable(data):
        ran = three.sockwake("rm", "a1", "b1", "--purge")
        assert ran.status == FAILED and "sockwake: a1: cannot use " in ran.stderr, ran
        assert f"Removed {three}/etc/sockwake/b1; deleted" in ran.stdout
        alone = three.sockwake("rm", "a1", "--purge")
        assert "operation not permitted" in alone.stderr and "hint" not in alone.stderr


def test_each_has_its_hint_and_another_run_is_none(three: Tree) -> None:
    for verb, root in (("sleep", ()), ("backup", ("--root", str(three)))):
        ran = run(*SOCKWAKE, verb, "nope", "nada", *root)
        alone = run(*SOCKWAKE, verb, "nope", *root).stderr.removeprefix("sockwake: error: ")
        assert "(hint: " in alone and f"sockwake: nope: {alone}" in ran.stderr, ran
        assert "run it again" not in ran.stderr, ran


def test_only_of_an_instance_that_is_there_a_backup_can_be_made(three: Tree) -> None:
    ls = f"sockwake backups ls --root {three} shows those there are"
    assert f"(hint: {ls})" in three.sockwake("backups", "ls", "nope").stderr
    three.new("d1")
    makes = f"sockwake backup --root {three} d1 makes one"
    assert f"(hint: {makes})" in three.sockwake("backups", "ls", "d1").stderr


@pytest.mark.parametrize("verb", ["expire", "verify"])
def test_names_beside_all_are_an_error_and_nothing_is_done(three: Tree, verb: str) -> None:
    before = counts(three)
    ran = three.sockwake("backups", verb, "a1", "--all")
    assert ran.status == USAGE and "--all and names exclude each other" in ran.stderr
    assert counts(three) == before


def test_who_reads_no_more_ends_it() -> None:
    done = []

    def one(name: Name) -> None:
        done.append(name)
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        try_each([Name("a1"), Name("b1")], one)
    assert done == ["a1"]


@pytest.mark.parametrize("json_too", [False, True])
def test_one_without_a_backup_keeps_no_other_from_being_told(three: Tree, json_too: bool) -> None:
    three.new("d1")
    before = counts(three)
    options = ["--json"] if json_too else []
    for verb in (("ls",), ("expire", "--keep", "1")):
        ran = three.sockwake("backups", *verb, "d1", "nope", "b1", *options)
        assert ran.status == UNKNOWN, ran
        assert "sockwake: d1: there is no backup of 'd1'\n(hint: sockwake backup" in ran.stderr
        assert "sockwake: nope: there is no backup of 'nope'" in ran.stderr
        told = [row["instance"] for row in json.loads(ran.stdout)] if json_too else ran.stdout
        assert told.count("b1") >= 1, ran
    assert counts(three) == [before[0], 1, before[2]]
    assert sorted(os.listdir(three.path / PLACE)) == ["a1", "b1", "c1"]


def test_a_backup_is_made_of_what_is_on_a_disk_that_can_only_be_read(three: Tree) -> None:
    """As behind an I/O error of the disk with /etc: it may be the last one."""
    left = three.path / "etc/sockwake/.rm-d1"
    left.mkdir()
    (left / "password").write_text("x")
    with unchangeable(three.path / "etc/sockwake"), unchangeable(left):
        ran = three.sockwake("backup", "a1", "b1")
        assert (ran.status, ran.stdout.count("Backed up ")) == (0, 2), ran
        assert three.sockwake("backup", "gone").status == UNKNOWN
        ran = three.sockwake("set", "b1", "IDLE=5min")
        assert "it is read-only" in ran.stderr and ran.status == FAILED, ran
    assert counts(three) == [1, 3, 2]
