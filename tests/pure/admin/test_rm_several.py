"""sockwake rm of several instances: by their names, and by wildcards."""

import json
import os
from pathlib import Path

import pytest

from fault import undisturbed
from sockwake.admin import cli
from sockwake.errors import FAILED, UNKNOWN, USAGE
from tree import Tree

DATA = "var/lib/sockwake"


def names(tree: Tree) -> list[str]:
    """Those of the instances there are."""
    return [row["name"] for row in json.loads(tree.sockwake("ls", "--json").stdout)]


def write_data(tree: Tree, path: str) -> Path:
    file = Path(f"{tree}{path}/base/1")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("rows")
    return file


def test_several_names_and_wildcards_and_one_that_fails_keeps_no_other(tree: Tree) -> None:
    for name in ("pg1", "pg2", "shop", "wiki"):
        tree.new(name)
    ran = tree.sockwake("rm", "pg*", "absent", "shop")
    assert (ran.status, ran.stdout) == (
        UNKNOWN,
        "".join(f"Removed {tree}/etc/sockwake/{name}.\n" for name in ("pg1", "pg2", "shop")),
    )
    assert ran.stderr.splitlines()[0].startswith("sockwake: absent: there is no instance 'absent'")
    assert ran.stderr.splitlines()[1:] == [
        f"(hint: sockwake ls --root {tree} shows those there are)",
        "sockwake: error: not all of them were removed",
    ]
    assert names(tree) == ["wiki"]


def test_purge_deletes_nothing_that_is_not_named_without_a_yes(tree: Tree) -> None:
    for name in ("pg1", "pg2"):
        tree.new(name)
        write_data(tree, f"/var/lib/sockwake/{name}")
    before = tree.snapshot()
    ran = tree.sockwake("rm", "--purge", "pg*")
    assert (ran.status, ran.stdout, ran.stderr.splitlines()) == (
        USAGE,
        "",
        [
            "sockwake: error: this would delete the data of pg1, pg2, and not all of them "
            "are named",
            "(hint: name them, or add --yes)",
        ],
    )
    assert tree.snapshot() == before
    assert tree.sockwake("rm", "--purge", "--yes", "pg*").status == 0
    assert names(tree) == [] and not list((tree.path / "var/lib/sockwake").iterdir())


@pytest.mark.parametrize("purge", [[], ["--purge"]])
@pytest.mark.parametrize("place", [DATA, f"{DATA}/bundles", f"{DATA}/pg1", f"{DATA}/upkeep.d"])
def test_on_a_disk_that_can_only_be_read_nothing_is_begun(
    tree: Tree, monkeypatch: pytest.MonkeyPatch, place: str, purge: list[str]
) -> None:
    """As behind an I/O error: its port would stay closed behind half of a removal."""
    tree.new("pg1", "--enable")
    write_data(tree, f"/{DATA}/pg1")
    for path in ("bundles/pg1/image", "upkeep.d/pg1"):
        (tree.path / DATA / path).parent.mkdir(parents=True)
        (tree.path / DATA / path).write_text("")
    before, may = tree.snapshot(), os.access
    locked = str(tree.path / place)
    monkeypatch.setattr(os, "access", lambda path, mode: path != locked and may(path, mode))
    ended = undisturbed(lambda: cli.main(["rm", "pg1", *purge, "--root", str(tree)]))
    if not purge and place in (DATA, f"{DATA}/pg1"):  # where nothing is to be deleted
        assert ended.status == 0, ended
        return
    assert ended.status == FAILED, ended
    assert f"cannot write {locked}: it is read-only" in ended.stderr
    assert tree.added_to(before) == []
