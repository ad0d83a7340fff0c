"""On a full disk no part of what could not be written is left: what undoes it needs the room."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from fault import disk_full
from sockwake.admin.backup import online
from sockwake.config.settings import load
from sockwake.errors import SockwakeError, failure
from sockwake.oci import bundle
from sockwake.oci.bundle import Bundle
from sockwake.system import files, tree_copy
from sockwake.system.process import ProgramError
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


@pytest.mark.parametrize("write", [files.replace, files.write_new, files.write_first])
def test_the_error_of_a_full_disk_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[str, int, str], None]
) -> None:
    def without_room(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", without_room)
    with pytest.raises(OSError, match="No space left") as caught:
        write(f"{tmp_path}/instance.env", 0o644, "new\n")
    assert f"cannot use {tmp_path}/instance.env" in failure(caught.value).message


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ("tar: backup_manifest: Cannot open: No space left on device", online.ROOM),
        ("tar: base/1/112: Wrote only 512 of 10240 bytes: Disk quota exceeded", online.ROOM),
        ("pg_basebackup: error: FATAL:  no pg_hba.conf entry for replication", online._LOGIN),
    ],
)
def test_a_base_backup_without_room_asks_for_room_and_not_for_a_password(
    tree: Tree, monkeypatch: pytest.MonkeyPatch, said: str, hint: str
) -> None:
    def fail(*_: object) -> None:
        raise ProgramError(["pg_basebackup"], 1, said)

    tree.new("pg1")
    instance = tree.instance("pg1")
    monkeypatch.setattr(tree_copy, "run", fail)
    with pytest.raises(SockwakeError) as caught:
        online.Server(instance, load(instance))._run(["pg_basebackup"], str(tree))
    assert caught.value.hint == hint
