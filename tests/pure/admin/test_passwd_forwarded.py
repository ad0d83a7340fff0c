"""sockwake passwd, and what settles one that was killed, while clients are led elsewhere."""

from pathlib import Path

import pytest

from sockwake.admin import inventory
from sockwake.admin.access import client, rotation
from sockwake.config import forwarding
from sockwake.config.instance import Name
from sockwake.config.settings import load
from sockwake.errors import SockwakeError
from test_backup import with_cluster
from tree import Tree


def test_no_password_is_changed_while_clients_are_led_elsewhere(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other server may have the same password, and would let in with either."""
    with_cluster(tree, "pg1")
    instance, asked = tree.instance("pg1"), []
    held = inventory.held
    monkeypatch.setattr(inventory, "held", lambda name: held(name, str(tree)))
    monkeypatch.setattr(client, "require_psql", lambda *_: None)
    monkeypatch.setattr(client, "run", lambda *words, **_: asked.append(words))
    Path(f"{instance.password_file}.new").write_text("begun\n")
    away = Path(forwarding.path(instance))
    away.write_text(forwarding.Forwarding(["10.0.0.5:5432"]).text)
    before = tree.snapshot()
    with pytest.raises(SockwakeError, match="'pg1' is forwarded") as caught:
        rotation.rotate(Name("pg1"), "new")
    assert "sockwake forward pg1 --back ends that" in caught.value.hint
    rotation.settle_begun(instance, load(instance))
    assert (asked, tree.added_to(before)) == ([], [])
    away.unlink()
    rotation.settle_begun(instance, load(instance))
    assert asked and Path(instance.password_file).read_text() == "begun\n"
