"""A base backup that an instance is made of: unpacked, and all there."""

import io
import json
import os
import shutil
import tarfile
from pathlib import Path

import pytest

from sockwake.admin.make import base_backup
from sockwake.errors import SockwakeError

FILES = {
    "PG_VERSION": "17\n",
    "backup_label": "START\n",
    "pg_hba.conf": "local\n",
    "base/1/1234": "rows" * 100,
    "pg_wal/000000010000000000000004": "wal",
}
ODD = b"base/1/o\xffdd"


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    """The plain format, with its manifest."""
    place = tmp_path / "backup"
    for name, text in FILES.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)
    Path(place, os.fsdecode(ODD)).write_text("x")
    listed = [{"Path": name, "Size": len(text)} for name, text in FILES.items()]
    listed.append({"Encoded-Path": ODD.hex(), "Size": 1})
    (place / "backup_manifest").write_text(json.dumps({"Files": listed}))
    return place


def test_all_of_it_is_there(backup: Path) -> None:
    base_backup.require_all_files(str(backup), str(backup))
    (backup / "pg_hba.conf").write_text("mended, as clients come by a password\n")
    shutil.rmtree(backup / "pg_wal")  # streamed into another archive
    base_backup.require_all_files(str(backup), str(backup))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda at: (at / "base/1/1234").unlink(), "is not whole: it has no base/1/1234"),
        (lambda at: os.truncate(at / "base/1/1234", 399), "had 400 bytes, and has 399"),
        (lambda at: Path(at, os.fsdecode(ODD)).unlink(), "is not whole: it has no base/1/o"),
        (lambda at: os.truncate(at / "backup_manifest", 99), "cannot be read, or is cut"),
        (lambda at: (at / "backup_manifest").write_text("[]"), "cannot be read, or is cut"),
    ],
)
def test_what_is_not_whole_is_refused(backup: Path, spoil: object, said: str) -> None:
    assert callable(spoil)
    spoil(backup)
    with pytest.raises(SockwakeError, match=said):
        base_backup.require_all_files(str(backup), str(backup))


@pytest.mark.parametrize("gone", ["backup_label", "backup_manifest"])
def test_a_server_has_run_on_it_or_nothing_tells(backup: Path, gone: str) -> None:
    (backup / gone).unlink()
    (backup / "base/1/1234").write_text("more rows")
    base_backup.require_all_files(str(backup), str(backup))


@pytest.mark.skipif(not shutil.which("tar"), reason="tar is not installed")
def test_both_archives_are_unpacked(tmp_path: Path) -> None:
    source, place = tmp_path / "tar", tmp_path / "data"
    source.mkdir()
    place.mkdir()
    for archive, name in (("base.tar.gz", "PG_VERSION"), ("pg_wal.tar", "0001")):
        mode = "w:gz" if archive.endswith("gz") else "w"
        with (source / archive).open("wb") as file, tarfile.open(fileobj=file, mode=mode) as tar:  # type: ignore[call-overload]
            member = tarfile.TarInfo(name)
            member.size = 3
            tar.addfile(member, io.BytesIO(b"17\n"))
    base_backup.unpack(str(source), str(place))
    assert (place / "PG_VERSION").read_text() == "17\n"
    assert (place / "pg_wal/0001").exists()
