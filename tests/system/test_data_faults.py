"""Data, password or disk are taken from a database: it says so, loses no row, and goes on."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from client import Client, Lost, Refused
from database import Database
from instances import Make
from moment import until
from program import Ran, must, run
from recovery import asleep_with_a_row
from refusal import told

pytestmark = pytest.mark.fault


@contextlib.contextmanager
def bound_read_only(path: Path) -> Iterator[None]:
    """The data on a disk that is read-only, as after an I/O error."""
    must("mount", "--bind", str(path), str(path))
    try:
        must("mount", "-o", "remount,bind,ro", str(path))
        yield
    finally:
        must("umount", "--lazy", str(path))


def test_data_on_a_disk_that_can_only_be_read(instance: Make) -> None:
    database = asleep_with_a_row(instance)
    with bound_read_only(database.data):
        told(database, "", "Read-only file system")
    assert database.psql("select n from kept") == "1"


def test_data_that_cannot_be_read(instance: Make) -> None:
    database = asleep_with_a_row(instance)
    control = database.cluster / "global/pg_control"
    control.chmod(0)
    told(database, "its container ended with status ", "ermission denied")
    control.chmod(0o600)
    assert database.psql("select n from kept") == "1"


def test_data_directory_that_is_a_file(instance: Make) -> None:
    database = asleep_with_a_row(instance)
    elsewhere = database.data.with_name("elsewhere")
    database.data.rename(elsewhere)
    try:
        database.data.write_text("")
        told(database, f"cannot use data directory {database.data}: not a directory")
    finally:
        database.data.unlink()
        elsewhere.rename(database.data)
    assert database.psql("select n from kept") == "1"


def psql_with(database: Database, password: str) -> Ran:
    """One psql that has this password, whatever the instance's file says."""
    port = str(database.port)
    argv = (*"psql -h 127.0.0.1 -U postgres -XAtc".split(), "select 1", "-p", port)
    return run(*argv, env={"PGPASSWORD": password})


def test_password_file_gone(instance: Make) -> None:
    database = instance()
    password = database.password
    database.asleep()
    (database.etc / "password").unlink()
    psql_with(database, password).expect(0, "1")
    run("sockwake", "status", "pg1").expect(0)
    database.password = password
    database.asleep()
    assert database.psql() == "1"


def test_password_file_gone_before_there_is_a_cluster(instance: Make) -> None:
    database = instance("--no-provision")
    (database.etc / "password").unlink()
    psql_with(database, "x").expect(2, "authentication failed")
    assert (database.etc / "password").stat().st_mode & 0o777 == 0o600
    assert database.psql() == "1"


@pytest.mark.kills
def test_disk_full_while_clients_write(instance: Make, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    must("mount", "-t", "tmpfs", "-o", "size=260m,mode=755", "disk", str(disk))
    try:
        database = instance("--data", str(disk))
        database.psql("create table kept (n int)")
        ballast = disk / "ballast"
        written = 0
        with (
            database.connect() as client,
            pytest.raises(
                (Refused, Lost),
                match="No space left|ended without a word|cannot receive|in recovery|terminating",
            ),
        ):
            run("dd", "if=/dev/zero", f"of={ballast}", "bs=1M")
            for written in range(1000):
                client.query(f"insert into kept select {written} from generate_series(1, 10000)")
        database.await_journal("No space left on device")
        ballast.unlink()
        until("the next client is served", lambda: _is_served(database.connect))
        assert int(database.psql("select count(*) from kept")) in (
            written * 10000,
            (written + 1) * 10000,
        )
        database.asleep()
        assert int(database.psql("select count(distinct n) from kept")) >= written
        must("systemctl", "stop", database.socket, database.proxy, database.backend)
        must("sockwake", "rm", "pg1", "--purge")
    finally:
        run(
            "systemctl",
            "stop",
            "pg-proxy@pg1.socket",
            "pg-proxy@pg1.service",
            "pg-postgres@pg1.service",
        )
        run("docker", "rm", "--force", "sockwake-pg1")
        must("umount", str(disk))


def _is_served(connect: Callable[[], Client]) -> bool:
    with contextlib.suppress(Lost, Refused):
        connect().close()
        return True
    return False
