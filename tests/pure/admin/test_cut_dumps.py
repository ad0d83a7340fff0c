"""sockwake-new --from: an archive tells its version, and a dump that was cut is none."""

import io
import random
import tarfile
from pathlib import Path

import pytest

from sockwake.admin.make import arrival, origin_reading
from sockwake.admin.make.origin import ARCHIVE
from sockwake.errors import SockwakeError

BEGUN, ENDED = "-- PostgreSQL database dump\n", "-- PostgreSQL database dump complete\n"
ALL_BEGUN = "-- PostgreSQL database cluster dump\n"
ALL_ENDED = "-- PostgreSQL database cluster dump complete\n"
TABLE = "CREATE TABLE t (x text);\n"
TOC = (
    b"PGDMP\x01\x0f\x00\x04\x08\x01\x00\x04\x00\x00\x00shop\x00\x11\x00\x00\x00"
    b"17.6 (Debian 17.6-1)\x00\x04\x00\x00\x0018.0" + b"\0" * 99
)


def tar_dump(path: Path, percent: int = 100) -> str:
    """So much of what pg_dump --format=tar writes, packed where its name ends with .gz."""
    whole, data = io.BytesIO(), random.Random(1).randbytes(2 << 20)
    with tarfile.open(fileobj=whole, mode="w:gz" if path.suffix == ".gz" else "w") as tar:
        for name, text in (("toc.dat", TOC), ("3412.dat", data), ("restore.sql", data)):
            member = tarfile.TarInfo(name)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text))
    path.write_bytes(whole.getvalue()[: len(whole.getvalue()) * percent // 100])
    return str(path)


def test_an_archive_tells_the_version_of_its_server(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(TOC)
    found = origin_reading.read(str(tmp_path / "a"))
    assert (found.form, found.major, found.creates) == (ARCHIVE, 17, False)
    for name, packed in (("b.tar", ""), ("b.tar.gz", "gzip")):
        found = origin_reading.read(tar_dump(tmp_path / name))
        assert (found.form, found.major, found.packed) == (ARCHIVE, 17, packed)


@pytest.mark.parametrize("percent", [30, 60, 90])
@pytest.mark.parametrize("name", ["cut.tar", "cut.tar.gz"])
def test_a_cut_archive_is_refused(tmp_path: Path, name: str, percent: int) -> None:
    """pg_restore takes what there is of it, or waits for the rest for ever."""
    with pytest.raises(SockwakeError, match="is cut: it does not end as a dump does"):
        origin_reading.read(tar_dump(tmp_path / name, percent))


@pytest.mark.parametrize(
    "text",
    [
        BEGUN + TABLE,
        ALL_BEGUN + TABLE,
        ALL_BEGUN + BEGUN + TABLE + ENDED,  # behind a database of it
    ],
)
def test_cut_sql_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "all.sql").write_text(f"--\n{text}")
    with pytest.raises(SockwakeError, match="is cut: it does not end as a dump does"):
        origin_reading.read(str(tmp_path / "all.sql"))


@pytest.mark.parametrize("marks", ["", BEGUN + ENDED, ALL_BEGUN + BEGUN + ENDED + ALL_ENDED])
def test_a_dump_that_has_all_its_ends_is_whole(marks: str) -> None:
    arrival.require_whole("all.sql.xz", marks)


@pytest.mark.parametrize(
    "marks", [BEGUN, ALL_BEGUN, ALL_BEGUN + BEGUN + ENDED, ALL_BEGUN + BEGUN, BEGUN * 2 + ENDED]
)
def test_a_dump_that_was_cut_before_it_was_packed_is_refused(marks: str) -> None:
    with pytest.raises(SockwakeError, match="is cut, and nothing was kept of it"):
        arrival.require_whole("all.sql.xz", marks)
