"""A newer major version of PostgreSQL: whole or not at all, and one command back."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import pytest

from database import Database
from instances import Make
from moment import until
from newer_postgres import on_the_host, strip
from program import Ran, must, run, start
from soak import SOAK

LONG = 240.0  # seconds that an upgrade may take on a busy machine
# what is there of the new cluster when sockwake is killed
MOMENTS = (
    *("new/PG_VERSION", "work/pg_upgrade_output.d", "new/pg_upgrade_output.d"),
    *("new/global/pg_control", "work/delete_old_cluster.sh", "new/postmaster.pid"),
)


def upgrade(*words: str, name: str = "pg1") -> Ran:
    return run("sockwake", "upgrade", name, *words, timeout=LONG)


def filled(database: Database) -> Database:
    """With what is to be there behind an upgrade, too."""
    database.psql("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
    database.psql("CREATE INDEX ON kept (n)")
    database.psql("CREATE EXTENSION pg_trgm")
    database.psql("CREATE ROLE app LOGIN PASSWORD 'its own'")
    database.psql("ALTER SYSTEM SET work_mem = '7MB'")
    strip(database)
    database.put_to_sleep()
    return database


def require_kept(database: Database, major: int, count: int = 1000) -> None:
    """Assert that all that filled() has made is served by a version."""
    assert database.psql("SHOW server_version").startswith(f"{major}.")
    assert database.psql("SELECT count(*) FROM kept") == f"{count}"
    assert database.psql("SELECT n FROM kept WHERE n = 7") == "7"
    assert database.psql("SHOW work_mem") == "7MB"
    assert database.psql("SELECT similarity('word', 'word')") == "1"
    assert (
        database.psql("SELECT rolpassword LIKE 'SCRAM%' FROM pg_authid WHERE rolname='app'") == "t"
    )
    if major == 18:
        statistics = database.psql("SELECT count(*) > 0 FROM pg_stats WHERE tablename = 'kept'")
        assert statistics == "t"
    database.put_to_sleep()


def files_of(database: Database) -> dict[str, str]:
    return {path.name: path.read_text() for path in database.etc.iterdir() if path.is_file()}


def test_a_cluster_is_upgraded_there_and_back_and_the_other_is_forgotten(instance: Make) -> None:
    database = filled(instance("--set", "jit=off", version="17", idle="1min"))
    before, port, password = files_of(database), database.port, database.password
    upgrade("--version", "18", "--check").expect(0, "pg1 can be upgraded to 18")
    assert (files_of(database), (database.data / "18").exists()) == (before, False)
    said = json.loads(upgrade("--version", "18", "--json").expect(0).out)
    assert (said["old"], said["new"], said["method"]) == ("17", "18", "upgrade")
    require_kept(database, 18)
    assert (database.port, database.password) == (port, password)
    assert database.psql("SHOW jit") == "off"
    upgrade("--version", "18").expect(2, "has PostgreSQL 18 already")
    upgrade("--version", "19").expect(3, "still has its cluster of PostgreSQL 17", "--forget")
    database.psql("INSERT INTO kept VALUES (-1)")
    database.put_to_sleep()
    upgrade("--back").expect(0, "served by PostgreSQL 17 again")
    require_kept(database, 17)
    assert {**files_of(database), "upgraded": ""} == {**before, "upgraded": ""}
    must("sockwake", "passwd", "pg1")
    database.put_to_sleep()
    upgrade("--back").expect(0, "served by PostgreSQL 18 again")
    require_kept(database, 18, 1001)
    upgrade("--forget").expect(0, "deleted the cluster of PostgreSQL 17")
    assert [path.name for path in database.data.iterdir()] == ["18"]
    upgrade("--back").expect(1, "was not upgraded")
    require_kept(database, 18, 1001)


@pytest.mark.soak
def test_the_host_s_servers_upgrade_it_by_links_or_a_dump(instance: Make, image: str) -> None:
    with on_the_host(image):
        for method, name in (("link", "pg1"), ("dump", "pg2")):
            made = instance("--runtime", "host", version="17", idle="1min", name=name)
            database = filled(made)
            done = upgrade("--version", "18", "--method", method, name=name)
            done.expect(0, "served by PostgreSQL 18 now")
            require_kept(database, 18)
            back = upgrade("--back", name=name)
            if method == "link":
                back.expect(1, "there is no way back", "shares its files")
            else:
                back.expect(0, "served by PostgreSQL 17 again")
                require_kept(database, 17)
            upgrade("--forget", name=name).expect(0)


@pytest.mark.soak
def test_what_only_settings_of_the_command_line_let_start_is_upgraded(instance: Make) -> None:
    told = ("--set", "wal_level=logical", "--set", "max_prepared_transactions=5")
    database = filled(instance(*told, version="17", idle="1min"))
    for kind, more in (("logical", "'test_decoding'"), ("physical", "true")):
        database.psql(f"SELECT pg_create_{kind}_replication_slot('{kind}', {more})")
    words = ("-c", "INSERT INTO kept VALUES (-1)", "-c", "PREPARE TRANSACTION 'two'")
    database.psql("BEGIN", *words)
    database.put_to_sleep()
    must("sockwake", "backup", "pg1")
    must("sockwake", "backups", "verify", "pg1")
    for method in ("upgrade", "dump"):  # neither would have it
        refused = upgrade("--version", "18", "--method", method)
        refused.expect(1, "the cluster has the prepared transaction two")
    database.psql("ROLLBACK PREPARED 'two'")
    database.psql("SELECT pg_logical_slot_get_changes('logical', NULL, NULL)")
    database.put_to_sleep()
    upgrade("--version", "18").expect(0, "replication slots were not taken along: physical")
    assert database.psql("SELECT slot_name FROM pg_replication_slots") == "logical"
    require_kept(database, 18)


@pytest.mark.soak
def test_one_without_the_database_postgres_is_looked_after_and_upgraded(instance: Make) -> None:
    """It may be dropped: PostgreSQL's own programs begin in template1 then, and so do ours."""
    database = filled(instance("--db-name", "shop", version="17", idle="1min"))
    database.psql("DROP DATABASE postgres")
    database.put_to_sleep()
    must("sockwake", "backup", "pg1")
    run("sockwake", "backups", "verify", "pg1").expect(0, "a server of it answers in shop")
    run("sockwake", "maintain", "pg1").expect(0, "maintained pg1")
    database.put_to_sleep()
    upgrade("--version", "18").expect(0, "served by PostgreSQL 18 now")
    require_kept(database, 18)


@pytest.mark.fault
def test_what_cannot_be_taken_over_is_said_and_nothing_is_touched(instance: Make) -> None:
    database = instance("--set", "shared_preload_libraries=pg_cron", version="17", idle="1min")
    database.psql("CREATE EXTENSION pg_cron")
    database.put_to_sleep()
    before = files_of(database)
    upgrade("--version", "18").expect(1, "pg_cron", "as the old one did")
    assert files_of(database) == before
    database.edit_compose("shared_preload_libraries=pg_cron", "work_mem=7MB")
    before = files_of(database)
    upgrade("--version", "18").expect(1, "has no extension pg_cron (in database postgres)")
    assert (files_of(database), (database.data / "18").exists()) == (before, False)
    database.psql("DROP EXTENSION pg_cron")
    closed_to_all(database)
    with database.connect():
        upgrade("--version", "18").expect(4, "connected client")
    database.put_to_sleep()
    upgrade("--version", "18", "--image", "nosuch:18").expect(1)
    upgrade("--version", "18", "--method", "clone").expect(1, "cannot clone files")
    upgrade("--version", "17").expect(2, "has PostgreSQL 17 already")
    upgrade().expect(2, "say one of")
    assert database.psql("SHOW server_version").startswith("17.")
    assert not (database.etc / "upgraded").exists()
    database.put_to_sleep()


def closed_to_all(database: Database) -> None:
    """Databases that allow no connections are in no dump, and pg_upgrade refuses them late."""
    for name in ('"Archive 2019"', '"it is"'):
        database.psql(f"CREATE DATABASE {name} ALLOW_CONNECTIONS false")
    database.put_to_sleep()
    before = files_of(database)
    for method in ("upgrade", "dump"):
        refused = upgrade("--version", "18", "--method", method)
        refused.expect(1, "leaves out database Archive 2019, it is, which allows no connections")
        assert files_of(database) == before
    hint = refused.err.partition("(hint: ")[2].rpartition(")")[0]
    run("sh", "-c", hint).expect(0)
    assert database.psql("SELECT count(*) FROM pg_database WHERE datallowconn") == "4"
    for name in ('"Archive 2019"', '"it is"'):
        database.psql(f"DROP DATABASE {name}")
    database.put_to_sleep()


def await_moment(path: Path, process: subprocess.Popen[str]) -> None:
    """Return when a file is there, or the process has ended before that."""
    until(str(path), lambda: path.exists() or process.poll() is not None, LONG)


@pytest.mark.fault
@pytest.mark.kills
def test_one_that_is_killed_is_taken_back_or_finished_by_the_next(instance: Make) -> None:
    """Clients are served meanwhile, by the old cluster or the new one, and lose nothing."""
    database = filled(instance(version="17", idle="1min"))
    work = database.data / ".upgrading"
    for moment in MOMENTS if SOAK else MOMENTS[2:4]:
        for number in (signal.SIGTERM, signal.SIGKILL):
            killed = start("sockwake", "upgrade", "pg1", "--version", "18")
            await_moment(work / moment, killed)
            killed.send_signal(number)
            killed.wait(LONG)
            killed.communicate()
            until("it is served", lambda: database.try_psql().status == 0, LONG)
            assert database.psql("SELECT count(*) FROM kept") == "1000"
            database.put_to_sleep()
    upgrade("--version", "18").expect(0, "served by PostgreSQL 18 now")
    require_kept(database, 18)
    assert not work.exists()
    for path in Path("/run/sockwake/pg1").glob("programs"):
        raise AssertionError(f"{path} was left")
    upgrade("--forget").expect(0)


@pytest.mark.fault
@pytest.mark.kills
@pytest.mark.soak
def test_what_is_written_behind_one_that_was_killed_is_lost_by_no_other(instance: Make) -> None:
    """Killed in its last proof, as by a power cut: clients are served by the new cluster then."""
    database = filled(instance(version="17", idle="1min"))
    killed = start("sockwake", "upgrade", "pg1", "--version", "18")
    until("it is tried out", (database.run / "trial").exists, LONG)
    killed.kill()
    killed.communicate()
    until("it is served", lambda: database.try_psql().status == 0, LONG)
    assert database.psql("SHOW server_version").startswith("18.")
    database.psql("INSERT INTO kept VALUES (-1)")
    database.put_to_sleep()
    for version in ("17", "19"):
        upgrade("--version", version).expect(1, "has been served by PostgreSQL 18 since")
    upgrade("--version", "18", "--check").expect(1, "was not finished")
    settings = next(database.data.glob("18/*/postgresql.auto.conf"))
    before = settings.read_text()
    settings.write_text(f"{before}no_such_setting = 1\n")
    upgrade("--version", "18").expect(1, "cannot start")
    settings.write_text(before)
    require_kept(database, 18, 1001)
    upgrade("--back").expect(0, "served by PostgreSQL 17 again")
    require_kept(database, 17)
    upgrade("--forget").expect(0)
