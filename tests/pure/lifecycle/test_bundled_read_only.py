"""A container without data whose bundle is on a disk that can only be read."""

import os
from pathlib import Path

import pytest
from kind_examples import CONTAINER, make

from sockwake.config.settings import load
from sockwake.errors import SockwakeError
from sockwake.lifecycle import bundled
from sockwake.oci import bundle
from tree import Tree


def test_the_reason_is_the_disk_and_no_edit(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """bin/container cannot lock it, and has this tell why."""
    make(tree, "web", CONTAINER)
    instance = tree.instance("web")
    place = bundle.path(instance)
    Path(place).mkdir(parents=True)
    may = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != place and may(path, mode))
    with pytest.raises(SockwakeError, match=f"{place} cannot be written to") as caught:
        bundled.make_what_is_missing(instance, load(instance), lambda _: None)
    assert caught.value.said == "Read-only file system"
