"""What is to be seen of forwarded instances, and of what they cannot be forwarded to."""

from __future__ import annotations

import pytest

from sockwake.admin import inventory
from sockwake.admin.leave import forward, forwarded
from sockwake.config import forwarding as forwardings
from sockwake.config.forwarding import Forwarding
from sockwake.config.instance import Instance, Name
from sockwake.errors import SockwakeError
from sockwake.lifecycle import targets


def test_a_file_that_cannot_be_used_keeps_no_other_from_being_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def of(instance: Instance) -> Forwarding:
        if instance.name == "bad":
            raise SockwakeError("its file cannot be used", status=7)
        return Forwarding(["127.0.0.1:9"])

    monkeypatch.setattr(forwardings, "of", of)
    monkeypatch.setattr(inventory, "exists", lambda _: True)
    monkeypatch.setattr(targets, "look", lambda _: [])
    rows, problem = forwarded.rows([Name("bad"), Name("good")])
    assert [row["name"] for row in rows] == ["good"] and problem and problem.status == 7
    assert capsys.readouterr().err == "sockwake: bad: its file cannot be used\n"
    with pytest.raises(SockwakeError, match="cannot be used"):
        forwarded.rows([Name("bad")])


def test_a_name_without_an_address_is_told_as_that(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"127.0.0.1": {"127.0.0.1"}}
    monkeypatch.setattr(targets, "addresses", lambda target: known.get(target.host, set()))
    unknown = forward.nobody(Forwarding(["db.invalid:5432"]))
    assert unknown.message == "no address is known of db.invalid"
    assert forward.nobody(Forwarding(["127.0.0.1:9"])).message == "127.0.0.1:9 takes no connections"
