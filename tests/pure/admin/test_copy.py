"""sockwake copy: another instance with the same data, whole or not at all."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from kind_examples import COMMAND, CONTAINER, make, with_program

from env_file import PROJECT, text_of
from fault import KILLED, at_every_step, disk_full, kill, undisturbed
from sockwake.admin import cli
from sockwake.admin.change import copy as copying
from sockwake.config.instance import Instance, Name
from sockwake.config.settings import load
from sockwake.errors import EXISTS, FAILED, UNKNOWN, USAGE, SockwakeError
from sockwake.system import process, systemctl, tree_copy
from tree import Tree

DATA = "var/lib/sockwake"


@pytest.fixture
def pg1(tree: Tree) -> Tree:
    """A tree with an instance that has been awake: it has a cluster, and a password."""
    tree.new("pg1", "--port", "25501", "--idle", "7min")
    os.unlink(tree.instance("pg1").uninitialised_file)
    Path(tree.instance("pg1").password_file).write_text("secret\n")
    os.chmod(tree.instance("pg1").password_file, 0o600)
    tree.write_cluster(f"/{DATA}/pg1/18/docker", "18")
    rows = tree.path / DATA / "pg1/18/docker/rows"
    rows.write_text("42")
    rows.chmod(0o600)
    (tree.path / DATA / "pg1/18/docker/link").symlink_to("rows")
    (tree.path / DATA / "pg1/18/docker/postmaster.pid").write_text("1\n")
    return tree


def cluster(tree: Tree, name: str) -> Path:
    return Path(load(tree.instance(name)).cluster)


def copy(tree: Tree, *names: str) -> Callable[[], int]:
    return lambda: cli.main(["copy", *names, "--root", str(tree)])


def test_a_copy_has_the_data_and_a_port_of_its_own(pg1: Tree) -> None:
    before = pg1.snapshot()
    ran = pg1.sockwake("copy", "pg1", "pg2")
    said = "Made pg2, a copy of pg1, at port 25432; it has the same password.\n"
    assert (ran.status, ran.stdout, ran.stderr) == (0, said, "")
    settings = load(pg1.instance("pg2"))
    assert (settings.port, settings.idle, settings.data) == (25432, 420, f"{pg1}/{DATA}/pg2")
    rows = cluster(pg1, "pg2") / "rows"
    assert (rows.read_text(), rows.stat().st_mode & 0o777) == ("42", 0o600)
    assert os.readlink(cluster(pg1, "pg2") / "link") == "rows"
    assert not (cluster(pg1, "pg2") / "postmaster.pid").exists()
    text = Path(pg1.instance("pg2").env_file).read_text()
    assert text.startswith("# The sockwake instance pg2:")
    assert not os.path.exists(pg1.instance("pg2").copying_file)
    assert not os.path.exists(f"{pg1.instance('pg2').etc}/made-data")
    changed = {path for path in pg1.added_to(before) if "pg1" in path}
    assert changed == set(), "the original is as it was"
    assert pg1.sockwake("rm", "pg2", "--purge").status == 0
    assert not (pg1.path / DATA / "pg2").exists()


def test_port_and_place_can_be_said(pg1: Tree) -> None:
    assert pg1.sockwake("copy", "pg1", "b", "--port", "25600", "--data", "/srv/b").status == 0
    settings = load(pg1.instance("b"))
    assert (settings.port, settings.data) == (25600, f"{pg1}/srv/b")
    assert (cluster(pg1, "b") / "rows").read_text() == "42"
    assert pg1.sockwake("rm", "b", "--purge").status == 0
    assert not (pg1.path / "srv/b").exists()


def test_a_unix_socket_of_a_database_gets_the_number_of_its_port(tree: Tree) -> None:
    tree.new("pg1", "--listen", "/run/pg", "--listen", "127.0.0.1", "--port", "25501")
    assert tree.sockwake("copy", "pg1", "pg2", "--port", "25502").status == 0
    assert load(tree.instance("pg2")).listen == ("/run/pg/.s.PGSQL.25502", "127.0.0.1")


def test_what_was_never_made_is_made_by_each_of_them(tree: Tree) -> None:
    tree.new("pg1")
    assert tree.sockwake("copy", "pg1", "pg2").status == 0
    assert os.path.exists(tree.instance("pg2").uninitialised_file)
    assert not os.path.exists(tree.instance("pg2").password_file)


def test_programs_and_containers_are_copied_too(tmp_path: Path) -> None:
    tree = with_program(tmp_path / "tree")
    make(tree, "web", [*CONTAINER, "--mount", "/data", "--env", "A=1"])
    os.unlink(tree.instance("web").uninitialised_file)
    make(tree, "prog", [*COMMAND[:3], "/bin/true {port} {data}"])
    for name in ("web", "prog"):
        (tree.path / DATA / name).mkdir(parents=True)
        (tree.path / DATA / name / "file").write_text(name)
        assert tree.sockwake("copy", name, f"{name}-2").status == 0
        copied = load(tree.instance(f"{name}-2"))
        assert copied.data == f"{tree}/{DATA}/{name}-2"
        assert Path(copied.data, "file").read_text() == name
    assert os.stat(tree.instance("web-2").variables_file).st_mode & 0o777 == 0o600
    unit = Path(tree.instance("prog-2").service_file).read_text()
    assert "/var/lib/sockwake/prog-2\n" in unit


def test_what_an_image_keeps_is_not_copied(pg1: Tree) -> None:
    kept = pg1.path / DATA / "bundles/pg1.volumes/data"
    kept.mkdir(parents=True)
    ran = pg1.sockwake("copy", "pg1", "b")
    assert ran.status == FAILED and f"keeps data in {kept}" in ran.stderr
    assert not os.path.exists(pg1.instance("b").etc)


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["pg1", "pg1"], USAGE, "these are the same name"),
        (["pg1", "B"], USAGE, "instance name 'B' is not valid"),
        (["nobody", "b"], UNKNOWN, "there is no instance 'nobody'"),
        (["pg1", "other"], EXISTS, "instance 'other' exists already"),
        (["pg1", "b", "--port", "25501"], EXISTS, "claimed by instance 'pg1'"),
        (["pg1", "b", "--data", "/etc"], USAGE, "a place of the system's"),
        (["pg1", "b", "--data", f"/{DATA}/pg1/b"], EXISTS, "belongs to instance 'pg1'"),
        (["pg1", "full"], EXISTS, "is not empty"),
        (["shop", "b"], FAILED, "a compose project is not copied"),
        (["beside", "b"], FAILED, "has files that are not sockwake's: data"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_changes_nothing(
    pg1: Tree, words: list[str], status: int, said: str
) -> None:
    pg1.new("other")
    pg1.new("beside")
    Path(pg1.instance("beside").etc, "data").mkdir()
    pg1.write_env("shop", text_of(PROJECT))
    (pg1.path / DATA / "full/x").mkdir(parents=True)
    before = pg1.snapshot()
    ran = pg1.sockwake("copy", *words)
    assert (ran.status, ran.stdout) == (status, ""), ran
    assert ran.stderr.startswith("sockwake: error: ") and said in ran.stderr, ran
    assert pg1.added_to(before) == []


def test_no_room_is_told_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = tmp_path / "a", tmp_path / "b"
    for path in (source, target):
        path.mkdir()
    (source / "big").write_bytes(b"x" * 100_000)
    monkeypatch.setattr(tree_copy, "_SLACK", 10**18)
    monkeypatch.setattr(tree_copy, "_can_share", lambda source, target: False)
    with pytest.raises(SockwakeError, match="has room for .*, and the copy needs 909495T"):
        tree_copy.copy(str(source), str(target), quiet=True)
    assert list(target.iterdir()) == []


def test_what_cp_says_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(process.ProgramError) as caught:
        tree_copy.run(["cp", "--archive", str(tmp_path / "none"), str(tmp_path)], "")
    assert "No such file" in caught.value.said


def test_killed_at_any_step_it_is_absent_or_can_be_made_anew(pg1: Tree) -> None:
    before = pg1.snapshot_of_names()
    work, reached = copy(pg1, "pg1", "pg2"), 0
    for ended in at_every_step(work, kill):
        reached = max(reached, ended.step)
        assert ended.status == (KILLED if ended.reached else 0), ended
        if ended.reached:
            again = undisturbed(work)
            is_whole = again.status == EXISTS and not os.path.exists(
                pg1.instance("pg2").copying_file
            )
            assert again.status == 0 or is_whole, (ended, again)
        assert (cluster(pg1, "pg2") / "rows").read_text() == "42", ended
        assert (cluster(pg1, "pg1") / "rows").read_text() == "42", ended
        assert (
            undisturbed(lambda: cli.main(["rm", "pg2", "--purge", "--root", str(pg1)])).status == 0
        )
        assert pg1.snapshot_of_names() == before, ended
    assert reached > 15


def test_after_an_error_nothing_is_left(pg1: Tree) -> None:
    before = pg1.snapshot_of_names()
    for ended in at_every_step(copy(pg1, "pg1", "pg2"), disk_full):
        if ended.status:
            assert ended.stderr.startswith("sockwake: error: "), ended
            assert pg1.snapshot_of_names() == before, ended
        else:
            assert pg1.sockwake("rm", "pg2", "--purge").status == 0


def test_one_that_was_killed_and_opened_since_is_not_made_anew(
    pg1: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its clients may have written to it, and nobody has asked to delete that."""
    assert pg1.sockwake("copy", "pg1", "pg2").status == 0
    target = pg1.instance("pg2")
    Path(target.copying_file).write_text("pg1\n")
    assert copying._left(pg1.instance("pg1"), target) is target
    monkeypatch.setattr(copying, "_is_used", lambda _: True)
    with pytest.raises(SockwakeError, match="instance 'pg2' exists already"):
        copying._left(pg1.instance("pg1"), target)


@pytest.mark.parametrize(
    ("is_enabled", "is_down", "is_used"),
    [(True, True, True), (False, False, True), (False, True, False)],
)
def test_a_copy_is_in_use_when_its_port_is_open_or_will_be(
    monkeypatch: pytest.MonkeyPatch, is_enabled: bool, is_down: bool, is_used: bool
) -> None:
    monkeypatch.setattr(systemctl, "is_running", lambda: True)
    monkeypatch.setattr(systemctl, "is_enabled", lambda _: is_enabled)
    monkeypatch.setattr(systemctl, "is_down", lambda _: is_down)
    assert copying._is_used(Instance(Name("pg2"))) == is_used
