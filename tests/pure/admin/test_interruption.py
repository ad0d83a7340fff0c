"""Killed, or out of disk, at any step: an instance is whole or absent, and rm removes the rest."""

import importlib
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from fault import KILLED, at_every_step, at_step, disk_full, kill, undisturbed
from sockwake.admin import cli, inventory
from sockwake.admin.make.draft import Draft
from sockwake.config.instance import Instance, Name
from sockwake.config.settings import load
from sockwake.engine.api import Engine
from sockwake.lifecycle import initdb
from sockwake.lifecycle.init_container import InEngine
from sockwake.postgres import password
from sockwake.system import files
from tree import Tree

SECRET = "correct horse\n"
importlib.import_module("sockwake.admin.make.render")  # once, and not in every child


def command(tree: Tree, *arguments: str) -> Callable[[], int]:
    return lambda: cli.main([*arguments, "--root", str(tree)])


def listed(tree: Tree) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = json.loads(undisturbed(command(tree, "ls", "--json")).stdout)
    return rows


def is_whole(tree: Tree) -> bool:
    return sorted(os.listdir(tree.instance("pg1").etc)) == [
        "compose.yaml",
        "instance.env",
        "uninitialised",
    ]


def test_new_killed_at_any_step_can_be_run_again_and_removed(tree: Tree) -> None:
    before = tree.snapshot()
    new = command(tree, "new", "pg1", "--version", "18", "--quiet", "--enable")
    reached = 0
    for ended in at_every_step(new, kill):
        reached = max(reached, ended.step)
        assert ended.status == (KILLED if ended.reached else 0), ended
        rows = listed(tree)
        assert [row["name"] for row in rows] in ([], ["pg1"]), ended
        if rows and rows[0]["state"] != "unfinished":
            assert is_whole(tree), ended
        else:
            again = undisturbed(new)
            assert (again.status, again.stdout, again.stderr) == (0, "", "") and is_whole(tree), (
                ended,
                again,
            )
        assert undisturbed(command(tree, "rm", "pg1")).status == 0, ended
        assert [
            path for path in tree.added_to(before) if not path.startswith("etc/systemd")
        ] == [], ended
    assert reached > 15


def test_new_killed_at_any_step_can_be_removed(tree: Tree) -> None:
    before = tree.snapshot()
    for ended in at_every_step(command(tree, "new", "pg1", "--version", "18", "--quiet"), kill):
        there = bool(listed(tree))
        removed = undisturbed(command(tree, "rm", "pg1"))
        assert removed.status == (0 if there else 5), (ended, removed)
        assert tree.added_to(before) == [], ended


def test_new_that_fails_at_any_step_says_so_and_leaves_nothing(tree: Tree) -> None:
    before = tree.snapshot()
    reached = 0
    for ended in at_every_step(
        command(tree, "new", "pg1", "--version", "18", "--quiet", "--enable"), disk_full
    ):
        reached = max(reached, ended.step)
        if ended.status == 0:  # undisturbed, or a step that need not succeed
            assert is_whole(tree) and undisturbed(command(tree, "rm", "pg1")).status == 0
            continue
        assert (ended.status, ended.stdout, ended.stderr.count("\n")) == (1, "", 1), ended
        assert (
            ended.stderr.startswith("sockwake: error: ")
            and "no space left on device" in ended.stderr
        ), ended
        left = {path for path in tree.added_to(before) if not path.startswith("etc/systemd")}
        assert left <= {"etc/sockwake"} and not list(tree.path.glob("etc/sockwake/*")), (
            ended
        )  # an empty directory is nothing
    assert reached > 15


@pytest.mark.parametrize("purge", [[], ["--purge"]])
def test_rm_killed_at_any_step_can_be_run_again_and_the_name_used_again(
    tree: Tree, purge: list[str]
) -> None:
    before = tree.snapshot()
    data = tree.path / "var/lib/sockwake/pg1"
    reached = 0
    rm = command(tree, "rm", "pg1", *purge)

    def prepare() -> None:
        assert undisturbed(command(tree, "new", "pg1", "--version", "18", "--quiet")).status == 0
        data.mkdir(parents=True, exist_ok=True)
        (data / "base").mkdir(exist_ok=True)
        (data / "base/1").write_text("rows")

    prepare()
    for ended in at_every_step(rm, kill):
        reached = max(reached, ended.step)
        rows = listed(tree)
        assert len(rows) == 0 or is_whole(tree), ended
        again = undisturbed(rm)
        assert again.status == (0 if rows else 5), (ended, again)
        assert purge or (data / "base/1").read_text() == "rows"
        assert (
            tree.added_to(before) == []
            if purge and not data.parent.exists()
            else not os.path.exists(f"{tree}/etc/sockwake")
        ), ended
        if not purge:
            (data / "base/1").unlink()
            (data / "base").rmdir()
        prepare()
    assert reached > 8


def test_a_file_has_its_mode_from_its_first_byte(tree: Tree) -> None:
    """Also in the moment between its making and its first byte, and under a careless umask."""
    instance = tree.instance("pg1")

    def work() -> int:
        os.umask(0)
        with inventory.locked(str(tree)):
            draft = Draft(
                Name("pg1"),
                str(tree),
                {"password": (0o600, SECRET), "instance.env": (0o644, "PORT=1\n")},
            )
        draft.publish()
        return 0

    seen = set()
    for ended in at_every_step(work, kill, every=1):
        for path in tree.path.rglob("password"):
            seen.add(path.read_text())
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, ended
        if not ended.reached:
            break
        for entry in (tree.path / "etc/sockwake").glob(".new-*"):
            inventory.delete(Instance(Name("pg1"), str(tree), str(entry)))
        if os.path.isdir(instance.etc):
            inventory.delete(instance)
    assert seen == {"", SECRET}


def test_the_password_that_a_first_wake_makes_is_secret_from_its_first_byte(tree: Tree) -> None:
    instance = tree.write_env("pg1", "")

    def work() -> int:
        os.umask(0)
        password.make(instance)
        return 0

    for ended in at_every_step(work, kill):
        path = Path(instance.password_file)
        if path.exists():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, ended
            if ended.reached:
                path.unlink()
    assert len(Path(instance.password_file).read_text().strip()) == 32


def test_a_state_file_is_whole_or_as_before(tmp_path: Path) -> None:
    path = tmp_path / "ready"
    path.write_text("180\n")

    def work() -> int:
        files.replace_volatile(str(path), "90\n")
        return 0

    for ended in at_every_step(work, kill):
        assert path.read_text() == ("180\n" if ended.reached else "90\n"), ended


@pytest.mark.parametrize("version", ["17", "18"])
def test_moving_a_new_cluster_into_place_goes_on_after_any_interruption(
    tree: Tree, version: str
) -> None:
    """The server has proven itself and stopped; from here on no container is needed any more."""
    instance = tree.instance("pg1")
    tree.new("pg1", "--version", version)
    settings = load(instance)
    made = Path(settings.data) / ".initialised"
    content = {
        "17": ["PG_VERSION", "base/1", "a"],
        "18": ["18/docker/PG_VERSION", "18/docker/base/1"],
    }[version]

    def work() -> int:
        init = InEngine(instance, settings, Engine("/nonexistent"))
        initdb.initialise(instance, settings, init, lambda text: None)
        return 0

    for step in range(1, 20):
        for name in content:
            (made / name).parent.mkdir(parents=True, exist_ok=True)
            (made / name).write_text("x")
        Path(instance.uninitialised_file).write_text("")
        ended = at_step(step, work, kill)
        assert os.path.exists(instance.uninitialised_file) or not list(made.glob("*")), ended
        if ended.reached:
            assert undisturbed(work).status == 0, ended
        assert sorted(
            str(path.relative_to(settings.data))
            for path in Path(settings.data).rglob("*")
            if path.is_file()
        ) == sorted(content)
        assert not os.path.exists(instance.uninitialised_file)
        if not ended.reached:
            break
        for name in content:
            (Path(settings.data) / name).unlink()
        for directory in sorted(
            (path for path in Path(settings.data).rglob("*") if path.is_dir()), reverse=True
        ):
            directory.rmdir()
    else:
        pytest.fail("it never came to its end")
