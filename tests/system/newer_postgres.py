"""PostgreSQL 18 beside the host's 17, which Debian 13 does not have; and what 18 lacks of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import image_store
from database import Database
from program import must

_BINARIES = Path("/usr/lib/postgresql/18")
_SHARED = Path("/usr/share/postgresql/18")
_LOADER = "ld-linux-x86-64.so.2"
# 17.12 writes an option for each new column, which 18.6, the newest that Debian has, does not know
_STRIP = """
UPDATE pg_attribute SET attoptions = NULL
WHERE attoptions::text ~ 'pg_attver' AND attrelid >= 16384
"""


@contextmanager
def on_the_host(image: str) -> Iterator[None]:
    """The programs of an image in the host's place for 18, with the image's own C library."""
    if _BINARIES.exists() or _SHARED.exists():
        pytest.skip("this machine has its own PostgreSQL 18")
    root = image_store.rootfs(image_store.take(f"docker-daemon:{image}"))
    libraries = root / "usr/lib/x86_64-linux-gnu"
    try:
        (_BINARIES / "bin").mkdir(parents=True)
        must("cp", "--archive", f"{root}{_BINARIES}/lib", f"{_BINARIES}/lib")
        must("cp", "--archive", f"{root}{_BINARIES}/bin", f"{_BINARIES}/real")
        must("cp", "--archive", f"{root}{_SHARED}", f"{_SHARED}")
        must("cp", "--archive", f"{libraries}", f"{_BINARIES}/libraries")
        for program in (_BINARIES / "real").iterdir():
            script = _BINARIES / "bin" / program.name
            loader = f"{_BINARIES}/libraries/{_LOADER} --argv0 {script}"
            words = f"{loader} --library-path {_BINARIES}/libraries {program}"
            script.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
            script.chmod(0o755)
        yield
    finally:
        must("rm", "--recursive", "--force", str(_BINARIES), str(_SHARED))


def strip(database: Database) -> None:
    """Take from the cluster what only a newer minor release of 18 would take over."""
    database.psql(f"SET allow_system_table_mods = on; {_STRIP}")
