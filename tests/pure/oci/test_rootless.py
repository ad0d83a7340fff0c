"""A user's own container: its ids, and what only root may set."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sockwake.errors import SockwakeError
from sockwake.oci import rootless


@pytest.fixture(autouse=True)
def user(monkeypatch: pytest.MonkeyPatch) -> None:
    known = SimpleNamespace(getpwuid=lambda _: SimpleNamespace(pw_name="user"))
    monkeypatch.setattr(rootless, "pwd", known)


@pytest.mark.parametrize(
    ("text", "others"),
    [
        ("other:1:2\nuser:100000:65536\n", [(1, 100000, 65536)]),
        ("1000:5:10\nuser:100000:65536\n", [(1, 5, 10), (11, 100000, 65536)]),
        ("user:5:10\nuser:x:1\nuser:\n", [(1, 5, 10)]),
    ],
)
def test_ids_in_the_container_are_the_user_s(
    tmp_path: Path, text: str, others: list[tuple[int, int, int]]
) -> None:
    (tmp_path / "subuid").write_text(text)
    made = rootless.mappings(1000, 1000, str(tmp_path / "subuid"))
    assert [tuple(each.values()) for each in made] == [(0, 1000, 1), *others]


@pytest.mark.parametrize("text", ["", "other:1:2\n", None])
def test_a_user_without_subordinate_ids_is_told(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "subuid").write_text(text)
    with pytest.raises(SockwakeError, match="no ids for the other users of a container") as error:
        rootless.mappings(1000, 1000, str(tmp_path / "subuid"))
    assert "usermod --add-subuids" in error.value.hint


def test_the_rest_is_as_root_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rootless, "mappings", lambda *_: [])
    settings = {"net.ipv4.ping_group_range": "0 1", "net.core.somaxconn": "9"}
    made: dict[str, Any] = {"linux": {"namespaces": [{"type": "pid"}], "sysctl": settings}}
    own = rootless.rootless({**made, "root": {}}, 1000, 1000)
    assert own["root"] == {} and own["linux"]["sysctl"] == {"net.core.somaxconn": "9"}
    assert own["linux"]["namespaces"] == [{"type": "pid"}, {"type": "user"}]
    assert len(made["linux"]["namespaces"]) == 1
