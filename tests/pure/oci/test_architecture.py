"""What a tree is for, by a program in it, and which images it can run."""

import json
from pathlib import Path

import pytest

from sockwake.errors import SockwakeError
from sockwake.oci import architecture

ELF = b"\x7fELF\x02\x01\x01" + bytes(11)


def program(root: Path, head: bytes, path: str = "usr/bin/env") -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(head)


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (ELF + b"\x3e\x00", "amd64"),
        (ELF + b"\xb7\x00", "arm64"),
        (b"\x7fELF\x02\x02\x01" + bytes(11) + b"\x00\x16", "s390x"),
        (ELF + b"\xff\xff", ""),
        (ELF, ""),
        (b"#!/bin/sh\nexec true", ""),
    ],
)
def test_a_program_tells_it(tmp_path: Path, head: bytes, said: str) -> None:
    program(tmp_path, head)
    assert architecture.of_tree(str(tmp_path)) == said


def test_a_link_is_followed_in_the_tree_alone(tmp_path: Path) -> None:
    assert architecture.of_tree(str(tmp_path)) == ""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/sh").symlink_to("/bin/dash")
    assert architecture.of_tree(str(tmp_path)) == "", "and not this machine's"
    program(tmp_path, ELF + b"\xb7\x00", "bin/dash")
    assert architecture.of_tree(str(tmp_path)) == "arm64"


def test_an_image_for_another_is_refused() -> None:
    for said, machine in (("amd64", "amd64"), ("386", "amd64"), ("", "amd64"), ("arm64", "")):
        architecture.require("web:1", said, machine)
    with pytest.raises(SockwakeError, match="image web:1 is for arm64, and the tree for amd64"):
        architecture.require("web:1", "arm64", "amd64")


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("arm64", "image web:1 is for arm64, and this machine for amd64"),
        *[(each, "") for each in ("amd64", "386", "", None)],
    ],
)
def test_one_for_another_machine_than_this_is_told(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    said: str | None,
    told: str,
) -> None:
    """It is kept: a machine may emulate others."""
    monkeypatch.setattr(architecture, "of_tree", lambda root: "amd64")
    (tmp_path / "config.json").write_text(json.dumps({"architecture": said, "config": {}}))
    architecture.warn("web:1", f"{tmp_path}/config.json")
    assert capsys.readouterr().err == (f"sockwake: warning: {told}\n" if told else "")
