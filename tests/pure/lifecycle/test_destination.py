"""What a change of the runtime says of what the other one had."""

import os

import pytest

from sockwake.config import settings
from sockwake.lifecycle import destination
from sockwake.oci import bundle
from sockwake.system import deletion, files
from tree import Tree


@pytest.mark.parametrize("is_read_only", [False, True])
def test_a_bundle_that_could_not_be_removed_is_not_called_removed(
    tree: Tree, monkeypatch: pytest.MonkeyPatch, is_read_only: bool
) -> None:
    tree.new("pg1", "--runtime", "engine")
    instance = tree.instance("pg1")
    path = bundle.path(instance)
    os.makedirs(path)
    if is_read_only:
        monkeypatch.setattr(deletion, "tree", lambda *_, **__: None)
    known = settings.load(instance)
    monkeypatch.setattr(instance, "root", "")
    monkeypatch.setattr(bundle, "path", lambda _: path)
    monkeypatch.setattr(bundle, "state", lambda _: f"{path}-state")
    monkeypatch.setattr(files, "remove", lambda _: False)
    monkeypatch.setattr(bundle, "remove", lambda _: deletion.tree(path))
    said = destination.forget_other(instance, known)
    left = f"left its bundle {path}, which could not be removed"
    assert said == ([left] if is_read_only else ["removed its bundle"])
