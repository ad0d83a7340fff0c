"""What a command tells as done, or notes so, is on the disk: a power cut may come behind that."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from kind_examples import COMMAND, make, with_program

from sockwake.admin import cli
from sockwake.admin.make import project_copy
from sockwake.admin.upkeep import exchange, newer_definition, two_clusters, upgraded
from sockwake.admin.upkeep.upgraded import MAKING, Upgraded, Version
from sockwake.config.instance import Instance
from sockwake.system import files, tree_copy
from tree import Tree

DATA = "var/lib/sockwake"


def test_a_copy_of_a_project_is_whole_before_its_instance_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "project/inner").mkdir(parents=True)
    (tmp_path / "project/inner/compose.yaml").write_text("services: {}\n")
    synced = []

    def sync(place: str) -> None:
        synced.append(Path(place, "inner/compose.yaml").read_text())

    monkeypatch.setattr(tree_copy, "sync", sync)
    project_copy.copy(str(tmp_path / "project"), str(tmp_path / "copy"))
    assert synced == ["services: {}\n"]


def test_the_private_data_of_a_program_have_their_new_name_before_it_is_renamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = with_program(tmp_path / "tree")
    make(tree, "prog", [*COMMAND[:3], "/bin/true {port} {data}"])
    private = tree.path / "var/lib/private/sockwake"
    (private / "prog").mkdir(parents=True)
    (tree.path / DATA).mkdir(parents=True, exist_ok=True)
    (tree.path / DATA / "prog").symlink_to("../private/sockwake/prog")
    synced = []
    monkeypatch.setattr(
        files, "sync", lambda place: synced.append((place, sorted(os.listdir(place))))
    )
    assert cli.main(["rename", "prog", "other", "--root", str(tree)]) == 0
    assert (str(private), ["other"]) in synced


def test_a_newer_cluster_is_on_the_disk_before_it_is_noted_as_whole(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree.new("pg1")
    done: list[str] = []
    write = upgraded.write

    def note(instance: Instance, move: Upgraded) -> Upgraded:
        done.append(move.state)
        return write(instance, move)

    monkeypatch.setattr(tree_copy, "sync", lambda place: done.append(f"sync {place}"))
    monkeypatch.setattr(upgraded, "write", note)
    for module, name in (
        *((two_clusters, each) for each in ("take_in", "discard_work", "switch")),
        *((newer_definition, each) for each in ("write", "make")),
    ):
        monkeypatch.setattr(module, name, lambda *_: None)
    move = replace(Upgraded(Version("17"), Version("18"), "dump"), state=MAKING)
    exchange.make(tree.instance("pg1"), "/data", move)
    assert done == ["sync /data", "switching"]
