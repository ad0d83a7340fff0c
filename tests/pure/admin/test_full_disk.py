"""On a full disk no part of what could not be written is left: what undoes it needs the room."""

import os
from pathlib import Path

import pytest

from fault import disk_full
from sockwake.oci import bundle
from sockwake.oci.bundle import Bundle
from sockwake.system import files
from tree import Tree


def test_a_full_disk_leaves_nothing_beside_a_file_that_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "instance.env"
    files.replace(str(path), 0o644, "old\n")
    monkeypatch.setattr(os, "fsync", lambda _: disk_full())
    with pytest.raises(OSError, match="No space left"):
        files.replace(str(path), 0o644, "new\n")
    assert path.read_text() == "old\n" and os.listdir(tmp_path) == ["instance.env"]


def test_a_full_disk_leaves_no_part_of_a_bundle(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: disk_full())
    instance = tree.instance("pg1")
    with pytest.raises(OSError, match="No space left"):
        bundle.write(instance, Bundle({"process": {"user": {"uid": 0, "gid": 0}}}, {}), {})
    assert os.listdir(os.path.dirname(bundle.path(instance))) == []
