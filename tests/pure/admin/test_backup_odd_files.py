"""Backups of data that are not only plain files: links, directories, files of several names."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kind_examples import CONTAINER, make

from sockwake.errors import FAILED
from sockwake.system import files, tree_copy
from tree import Tree


@pytest.fixture
def data(tree: Tree) -> Path:
    """The data of a container: releases, and the link to the one that is served."""
    make(tree, "web", [*CONTAINER, "--mount", "/data"])
    os.unlink(tree.instance("web").uninitialised_file)
    found = tree.path / "var/lib/sockwake/web"
    for release in ("1", "2"):
        (found / release).mkdir(parents=True)
        (found / release / "page").write_text(release)
    (found / "current").symlink_to("1")
    (found / "spool").mkdir(mode=0o755)
    return found


def listed(tree: Tree) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(tree.sockwake("backups", "ls", "--json").stdout)
    return found


def points_elsewhere(data: Path) -> None:
    (data / "current").unlink()
    (data / "current").symlink_to("2")


@pytest.mark.parametrize(
    "change",
    [
        points_elsewhere,
        lambda data: (data / "new").mkdir(),
        lambda data: (data / "spool").rmdir(),
        lambda data: (data / "spool").chmod(0o700),
    ],
    ids=["link to a directory", "new directory", "directory gone", "mode"],
)
def test_a_change_of_directories_alone_is_one(
    tree: Tree, data: Path, change: Callable[[Path], None]
) -> None:
    assert tree.sockwake("backup", "web").status == 0
    assert "has not been awake" in tree.sockwake("backup", "web", "--if-changed").stdout
    change(data)
    assert tree.sockwake("backup", "web", "--if-changed").status == 0
    assert len(listed(tree)) == 2


@pytest.mark.parametrize("gone", ["current", "spool"])
def test_a_backup_without_one_of_its_directories_is_damaged(
    tree: Tree, data: Path, gone: str
) -> None:
    assert tree.sockwake("backup", "web").status == 0
    lost = Path(listed(tree)[0]["path"]) / "data" / gone
    lost.unlink() if lost.is_symlink() else lost.rmdir()
    for words in (
        ["backups", "verify", "web"],
        ["restore", "web", "--from", listed(tree)[0]["timestamp"]],
    ):
        ran = tree.sockwake(*words)
        assert ran.status == FAILED and "directories and links to some, and had" in ran.stderr


def test_a_file_of_several_names_takes_its_room_once(
    tree: Tree, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (data / "large").write_bytes(os.urandom(1 << 20))
    one = files.disk_usage(str(data))
    for n in range(9):
        os.link(data / "large", data / f"large{n}")
    assert files.disk_usage(str(data)) == one
    monkeypatch.setattr(files, "free_room", lambda _: one + tree_copy._SLACK)
    ran = tree.sockwake("backup", "web")
    assert ran.status == 0, ran
    assert (Path(listed(tree)[0]["path"]) / "data/large").stat().st_nlink == 10
