"""sockwake restore: the data of a backup in place of others, which are kept until they may go."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from kind_examples import CONTAINER, make

from fault import KILLED, at_every_step, kill, undisturbed
from sockwake.admin import cli
from sockwake.config.settings import load
from sockwake.errors import EXISTS, FAILED, UNKNOWN, USAGE
from sockwake.lifecycle import upkeep
from test_backup import DATA, cluster, listed, with_cluster
from tree import Tree


@pytest.fixture
def pg1(tree: Tree) -> Tree:
    """An instance with a backup of rows 42, and with rows 43 and another password since."""
    with_cluster(tree, "pg1")
    assert tree.sockwake("backup", "pg1").status == 0
    change(tree)
    return tree


def change(tree: Tree) -> None:
    (cluster(tree, "pg1") / "rows").write_text("43")
    Path(tree.instance("pg1").password_file).write_text("other\n")


def state(tree: Tree, name: str = "pg1") -> tuple[str, str]:
    """Its rows, and its password."""
    rows = (cluster(tree, name) / "rows").read_text()
    return rows, Path(tree.instance(name).password_file).read_text().strip()


def beside(tree: Tree) -> list[str]:
    return sorted(each for each in os.listdir(tree.path / DATA) if "." in each)


def restore(tree: Tree, *words: str) -> Callable[[], int]:
    return lambda: cli.main(["restore", *words, "--root", str(tree)])


OLD, NEW = ("42", "secret"), ("43", "other")


def test_the_data_are_exchanged_and_can_be_again(pg1: Tree) -> None:
    ran = pg1.sockwake("restore", "pg1")
    assert (ran.status, ran.stderr, state(pg1)) == (0, "", OLD), ran
    (kept,) = beside(pg1)
    assert ran.stdout.endswith(f"those it had are kept in {pg1}/{DATA}/{kept}.\n")
    assert os.stat(pg1.instance("pg1").password_file).st_mode & 0o777 == 0o600
    again = pg1.sockwake("restore", "pg1")
    assert again.status == FAILED and "is kept of the last restore" in again.stderr
    assert "--forget deletes that" in again.stderr
    assert pg1.sockwake("restore", "pg1", "--back").status == 0 and state(pg1) == NEW
    assert pg1.sockwake("restore", "pg1", "--back").status == 0 and state(pg1) == OLD
    assert pg1.sockwake("restore", "pg1", "--forget").status == 0 and state(pg1) == OLD
    assert beside(pg1) == [] and not os.path.exists(f"{pg1.instance('pg1').etc}/restored")
    for switch in ("--back", "--forget"):
        ran = pg1.sockwake("restore", "pg1", switch)
        assert ran.status == FAILED and "nothing is kept of a restore" in ran.stderr


def test_a_shell_that_has_evaluated_its_variables_finds_the_password_of_now(pg1: Tree) -> None:
    """PGPASSFILE names a file that sockwake env has written, and passwd keeps right."""
    line = Path(pg1.instance("pg1").password_line)
    line.parent.mkdir(parents=True)
    line.write_text("127.0.0.1:25432:*:postgres:other\n")
    for options, (_, secret) in (((), OLD), (("--back",), NEW)):
        assert pg1.sockwake("restore", "pg1", *options).status == 0
        assert line.read_text().endswith(f":*:postgres:{secret}\n")
        assert line.stat().st_mode & 0o777 == 0o600


def test_nothing_is_known_of_the_pages_that_are_in_place_now(pg1: Tree) -> None:
    """A page of those they replace was damaged, or all of them were verified."""
    instance = pg1.instance("pg1")
    upkeep.write(instance, upkeep.Note(finished=1.0, done=("did it",), damage="block 12"))
    assert pg1.sockwake("restore", "pg1").status == 0
    assert upkeep.read(instance) == upkeep.Note(finished=1.0, done=("did it",))
    upkeep.write(instance, upkeep.Note(verified=1.0))
    assert pg1.sockwake("restore", "pg1", "--back").status == 0
    assert upkeep.read(instance) == upkeep.Note()


def test_a_purge_knows_the_directory_that_was_named(tree: Tree) -> None:
    tree.new("pg1", "--data", "/srv/pg1")
    os.unlink(tree.instance("pg1").uninitialised_file)
    tree.write_cluster("/srv/pg1/18/docker", "18")
    for words in (["backup", "pg1"], ["restore", "pg1"], ["restore", "pg1", "--forget"]):
        assert tree.sockwake(*words).status == 0, words
    assert tree.sockwake("rm", "pg1", "--purge").status == 0
    assert os.listdir(tree.path / "srv") == []


def test_another_instance_is_made_of_it(pg1: Tree) -> None:
    (found,) = listed(pg1)
    assert pg1.sockwake("restore", "pg1", "--from", found["timestamp"], "--as", "b").status == 0
    assert (state(pg1, "b"), state(pg1)) == (OLD, NEW), "with the password that its cluster has"
    assert load(pg1.instance("b")).port != load(pg1.instance("pg1")).port
    assert pg1.sockwake("copy", "pg1", "c", "--from", found["timestamp"]).status == 0
    assert state(pg1, "c") == OLD
    assert pg1.sockwake("copy", "pg1", "d").status == 0 and state(pg1, "d")[0] == "43"


def test_one_that_was_removed_is_made_again_where_it_was(pg1: Tree) -> None:
    before = Path(pg1.instance("pg1").env_file).read_text()
    assert pg1.sockwake("rm", "pg1", "--purge").status == 0
    assert pg1.sockwake("restore", "pg1").status == 0
    assert state(pg1) == OLD
    assert Path(pg1.instance("pg1").env_file).read_text() == before, "port and all"


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["nobody"], UNKNOWN, "there is no instance 'nobody', and no backup of it"),
        (["bare"], UNKNOWN, "there is no backup of 'bare'"),
        (["pg1", "--from", "2020"], UNKNOWN, "there is no backup 2020 of 'pg1'"),
        (["pg1", "--as", "pg1"], EXISTS, "instance 'pg1' exists already"),
        (["pg1", "--as", "B"], USAGE, "instance name 'B' is not valid"),
        (["pg1", "--back", "--forget"], USAGE, "exclude each other"),
        (["pg1", "--forget", "--from", "x"], USAGE, "exclude each other"),
        (["pg1", "--port", "25600"], USAGE, "--port and --data are for --as"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_changes_nothing(
    pg1: Tree, words: list[str], status: int, said: str
) -> None:
    pg1.new("bare")
    (pg1.path / "var/backups/sockwake/bare").mkdir()
    before = pg1.snapshot()
    ran = pg1.sockwake("restore", *words)
    assert (ran.status, ran.stdout) == (status, ""), ran
    assert ran.stderr.startswith("sockwake: error: ") and said in ran.stderr, ran
    assert pg1.added_to(before) == []


def test_the_data_of_another_version_are_not_put_in_place(pg1: Tree) -> None:
    env = Path(pg1.instance("pg1").env_file)
    env.write_text(env.read_text().replace("VERSION=18", "VERSION=17"))
    ran = pg1.sockwake("restore", "pg1")
    assert ran.status == FAILED and "is of kind postgres 18" in ran.stderr
    assert "--as NEW makes another instance" in ran.stderr


def without_mount(tree: Tree) -> None:
    assert tree.sockwake("rm", "web", "--purge").status == 0
    make(tree, "web", CONTAINER)


def without_data(tree: Tree) -> None:
    env = Path(tree.instance("web").env_file)
    lines = env.read_text().splitlines(keepends=True)
    env.write_text("".join(each for each in lines if not each.startswith("DATA=")))


@pytest.mark.parametrize("lose", [without_mount, without_data])
def test_no_other_directory_is_taken_for_data_that_it_does_not_have(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lose: Callable[[Tree], None]
) -> None:
    make(tree, "web", [*CONTAINER, "--mount", "/data"])
    os.unlink(tree.instance("web").uninitialised_file)
    (tree.path / DATA / "web").mkdir(parents=True)
    (tree.path / DATA / "web/file").write_text("42")
    assert tree.sockwake("backup", "web").status == 0
    lose(tree)
    here = tmp_path / "here"  # the directory of the shell
    here.mkdir()
    (here / "own").write_text("43")
    monkeypatch.chdir(here)
    before = tree.snapshot()
    ran = tree.sockwake("restore", "web")
    assert (ran.status, ran.stdout) == (FAILED, ""), ran
    assert "has data, and instance 'web' has no data directory" in ran.stderr
    assert "--as NEW makes another instance of it" in ran.stderr
    assert tree.added_to(before) == [] and os.listdir(here) == ["own"]
    assert sorted(os.listdir(tmp_path)) == ["here", "tree"]
    words = ran.stderr.partition("sockwake restore ")[2].partition(" --as")[0].split()
    assert tree.sockwake("restore", *words, "--as", "new").status == 0
    assert (tree.path / DATA / "new/file").read_text() == "42"


def test_killed_at_any_step_it_is_one_of_the_two(pg1: Tree) -> None:
    work, reached = restore(pg1, "pg1"), 0
    for ended in at_every_step(work, kill):
        reached = max(reached, ended.step)
        assert ended.status == (KILLED if ended.reached else 0), ended
        assert state(pg1)[0] in ("42", "43"), ended
        again = undisturbed(work)
        assert again.status in (0, FAILED) and state(pg1) == OLD, (ended, again)
        assert undisturbed(restore(pg1, "pg1", "--back")).status == 0
        assert state(pg1) == NEW, ended
        assert undisturbed(restore(pg1, "pg1", "--forget")).status == 0
        assert beside(pg1) == [], ended
    assert reached > 10


def test_killed_at_any_step_of_the_way_back_neither_is_lost(pg1: Tree) -> None:
    assert undisturbed(restore(pg1, "pg1")).status == 0
    for ended in at_every_step(restore(pg1, "pg1", "--back"), kill):
        kept = (pg1.path / DATA / beside(pg1)[0] / "18/docker/rows").read_text()
        assert {kept, state(pg1)[0]} == {"42", "43"}, ended
        for _ in range(2):
            if state(pg1) != OLD:
                assert undisturbed(restore(pg1, "pg1", "--back")).status == 0
        assert state(pg1) == OLD, ended


def in_place_of_what_is_kept(tree: Tree) -> Path:
    """Another directory where a restore has kept the data, which are in srv then."""
    assert tree.sockwake("restore", "pg1").status == 0
    place = tree.path / DATA / beside(tree)[0]
    place.rename(tree.path / "srv")
    place.mkdir()
    return place


def test_what_is_not_what_was_kept_is_not_deleted(pg1: Tree) -> None:
    place = in_place_of_what_is_kept(pg1)
    ran = pg1.sockwake("restore", "pg1", "--forget")
    assert ran.status == FAILED and "is not what the restore has kept" in ran.stderr
    assert place.exists()


def test_it_is_not_renamed_while_something_is_kept(pg1: Tree) -> None:
    assert pg1.sockwake("restore", "pg1").status == 0
    before = pg1.snapshot()
    ran = pg1.sockwake("rename", "pg1", "b")
    assert (ran.status, ran.stdout) == (FAILED, "")
    assert "is kept of the last restore" in ran.stderr and "--forget deletes that" in ran.stderr
    assert pg1.snapshot() == before
    assert pg1.sockwake("restore", "pg1", "--forget").status == 0
    assert pg1.sockwake("rename", "pg1", "b").status == 0


@pytest.mark.parametrize(("purge", "left"), [([], 2), (["--purge"], 0)])
def test_what_is_kept_goes_with_a_purge_and_is_told(pg1: Tree, purge: list[str], left: int) -> None:
    assert pg1.sockwake("restore", "pg1").status == 0
    (kept,) = beside(pg1)
    ran = pg1.sockwake("rm", "pg1", *purge)
    assert ran.status == 0 and "what its last restore has kept in " in ran.stdout
    assert kept in ran.stdout
    assert len(os.listdir(pg1.path / DATA)) == left


def test_a_purge_deletes_nothing_else_in_its_place(pg1: Tree) -> None:
    place = in_place_of_what_is_kept(pg1)
    ran = pg1.sockwake("rm", "pg1", "--purge")
    assert ran.status == FAILED and "is not what the restore has kept" in ran.stderr
    assert place.exists() and state(pg1) == OLD
    place.rmdir()
    assert pg1.sockwake("rm", "pg1", "--purge").status == 0
    assert (pg1.path / "srv/18").exists()
