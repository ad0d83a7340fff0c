"""Sleeping data are looked after by themselves: backups, and what sleep would starve."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from account import Account, Own
from database import Database
from held import holds, in_seconds, is_awake, was_woken_by
from instances import Make
from moment import until, until_gone
from program import must, run, start

PENDING = 6
BACKUPS = Path("/var/backups/sockwake")
# what a new C library would do, and a database that has not been frozen for long
OTHER_LIBRARY = """
UPDATE pg_database SET datcollversion = '1' WHERE datname = 'icu';
UPDATE pg_collation SET collversion = '1' WHERE collname = 'de-x-icu';
"""
TABLES = """
CREATE TABLE t AS SELECT n, n::text AS name FROM generate_series(1, 1000) n;
CREATE INDEX t_name ON t (name); CREATE INDEX t_n ON t (n);
CREATE TABLE r (x text, CONSTRAINT r_x EXCLUDE USING btree (x WITH =));
CREATE TABLE u (x text COLLATE "de-x-icu"); CREATE INDEX u_x ON u (x);
"""
REBUILT = "SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE oid > 16384"
REBUILT += " AND relkind = 'i' AND (relfilenode <> oid OR oid > {last}) AND relname !~ 'toast'"


@pytest.fixture
def database(instance: Make) -> Database:
    return instance()


def backups(database: Database) -> list[str]:
    return sorted(path.name for path in (BACKUPS / database.name).glob("[0-9]*"))


def upkeep(database: Database) -> dict[str, object]:
    """What status says of the last upkeep."""
    told: dict[str, object] = json.loads(must("sockwake", "status", "-j", database.name))["upkeep"]
    return told


def settle(database: Database) -> None:
    """Wait until the backup behind a sleep has ended."""
    unit = f"pg-backup@{database.name}.service"
    until("its backup has ended", lambda: database.state(unit) in ("inactive", "failed"))


def sleeps_again(database: Database) -> None:
    """A client comes and goes, and the backup of that has ended."""
    assert database.psql("CREATE TABLE IF NOT EXISTS seen (); SELECT 1").endswith("1")
    before = database.property(f"pg-backup@{database.name}.service", "InvocationID")
    database.put_to_sleep()
    until(
        "its backup has begun",
        lambda: database.property(f"pg-backup@{database.name}.service", "InvocationID") != before,
    )
    settle(database)


def test_it_is_backed_up_when_it_falls_asleep_and_at_its_times(database: Database) -> None:
    name = database.name
    run("sockwake", "set", name, "BACKUP=on-sleep", "KEEP_BACKUPS=2").expect(0, "now")
    sleeps_again(database)
    [first] = backups(database)
    must("systemctl", "start", f"pg-backup@{name}.service")
    assert backups(database) == [first], "it has not been awake since"
    for _ in range(2):
        sleeps_again(database)
    assert len(backups(database)) == 2 and first not in backups(database)
    # no room: told until it is made
    must("mount", "-t", "tmpfs", "-o", "size=1M", "tmpfs", str(BACKUPS / name))
    try:
        sleeps_again(database)
        run("sockwake", "status", name).expect(0, "the last attempt failed", "there is no good one")
        run("sockwake", "doctor", name).expect(1, f"{name}: its last backup failed: ", "room")
    finally:
        must("umount", str(BACKUPS / name))
    sleeps_again(database)
    run("sockwake", "doctor", name).expect(0)
    # a timer that is there only for an instance that has times
    timer = f"pg-backup@{name}.timer"
    assert database.psql("CREATE TABLE later (); SELECT 1").endswith("1")
    last = backups(database)[-1]
    soon, _, _ = in_seconds(4, 5).partition("-")
    run("sockwake", "set", name, f"BACKUP={soon} UTC").expect(0)
    assert database.state(timer) == "active"
    until("its time has come", lambda: backups(database)[-1] > last)
    database.put_to_sleep()
    settle(database)
    run("sockwake", "set", name, "BACKUP=").expect(0)
    until("its timer has ended", lambda: database.state(timer) == "inactive")
    database.asleep()


def aged(database: Database) -> None:
    """Have the cluster be 250 million transactions older, as after much work."""
    settings = "250000000 --pgdata /var/lib/postgresql/18/docker"
    command = f"pg_resetwal --next-transaction-id {settings}"
    image = json.loads(must("sockwake", "ls", "-j", database.name))[0]["image"]
    data = f"{database.data}:/var/lib/postgresql"
    must("docker", "run", "--rm", "-u", "postgres", "-v", data, image, *command.split())
    segment = database.cluster / f"pg_xact/{250_000_000 // 2**20:04X}"
    segment.write_bytes(bytes(256 << 10))
    owner = (database.cluster / "PG_VERSION").stat()
    os.chown(segment, owner.st_uid, owner.st_gid)


def test_what_is_due_is_done_and_told_without_waking(database: Database) -> None:
    name = database.name
    create = "CREATE DATABASE icu TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US'"
    database.psql(create)
    database.psql(TABLES, "-d", "icu")
    last = database.psql("SELECT max(oid) FROM pg_class", "-d", "icu")
    database.put_to_sleep()
    run("sockwake", "maintain", name, "--check").expect(PENDING, "it was never maintained")
    run("sockwake", "maintain", name).expect(0, "verified the checksums of all pages")
    database.asleep()
    run("sockwake", "maintain", name, "--check").expect(0, f"{name}: nothing is due")
    run("sockwake", "maintain", name, "--if-due").expect(0, f"nothing is due of {name}")
    assert not is_awake(database)
    # another C library, which the server says when it is asked
    database.psql(OTHER_LIBRARY, "-d", "icu")
    database.put_to_sleep()
    database.psql("SELECT 1", "-d", "icu")
    database.put_to_sleep()
    run("sockwake", "maintain", name, "--check").expect(PENDING, 'the indexes of "icu" are')
    run("sockwake", "maintain", name, "--if-due").expect(0, "reindexed 3 indexes")
    database.asleep()
    run("sockwake", "maintain", name, "--check").expect(0, f"{name}: nothing is due")
    assert database.psql(REBUILT.format(last=last), "-d", "icu") == "r_x t_name u_x"
    assert "mismatch" not in database.try_psql("SELECT 1", "-d", "icu").err
    database.put_to_sleep()
    # as old as what autovacuum has to freeze, template0 too
    aged(database)
    run("sockwake", "maintain", name, "--check").expect(PENDING, "freeze: it has not been frozen")
    run("sockwake", "maintain", name, "--if-due", timeout=300).expect(0, "vacuumed ")
    ages = "SELECT max(age(datfrozenxid)) < 1000 FROM pg_database"
    assert database.psql(ages) == "t"
    database.put_to_sleep()
    run("sockwake", "maintain", name, "--check").expect(0, f"{name}: nothing is due")


FAILING = """
CREATE FUNCTION same(text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN $1; END';
CREATE TABLE words (word text); INSERT INTO words VALUES ('a');
CREATE INDEX word ON words (same(word) COLLATE "de-x-icu");
CREATE OR REPLACE FUNCTION same(text) RETURNS text IMMUTABLE LANGUAGE plpgsql
AS 'BEGIN RETURN 1 / 0; END';
UPDATE pg_collation SET collversion = '1' WHERE collname = 'de-x-icu';
CREATE DATABASE archive ALLOW_CONNECTIONS false;
"""


@pytest.mark.soak
def test_a_reindex_that_fails_is_told_and_is_no_end_of_it(database: Database) -> None:
    """psql tells whether it failed: the server's word for an error has the language it speaks."""
    for each in FAILING.strip().split(";\n"):
        database.psql(each)
    database.put_to_sleep()
    run("sockwake", "maintain", database.name).expect(1, "division by zero")
    assert "left archive alone, which allows no connections" in str(upkeep(database))
    version = "SELECT collversion FROM pg_collation WHERE collname = 'de-x-icu'"
    assert database.psql(version) == "1", "its indexes are as they were"


def checksums_begun(database: Database) -> tuple[subprocess.Popen[str], int]:
    """A `sockwake maintain` whose pg_checksums stands still; the process id of that."""
    command = start("sockwake", "maintain", database.name)
    found: list[int] = []

    def stopped() -> bool:
        found[:] = [
            int(path.parent.name)
            for path in Path("/proc").glob("[0-9]*/comm")
            if _text(path) == "pg_checksums\n"
        ]
        for pid in found:
            os.kill(pid, signal.SIGSTOP)
        return bool(found)

    until("pg_checksums runs", stopped)
    return command, found[0]


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


@pytest.mark.kills
def test_a_client_comes_first_and_damage_is_told(database: Database) -> None:
    name = database.name
    database.psql("CREATE TABLE t AS SELECT n, repeat('x', 900) FROM generate_series(1, 200000) n")
    database.put_to_sleep()
    command, _ = checksums_begun(database)
    assert database.psql() == "1", "served though pg_checksums stands still"
    out, _ = command.communicate(timeout=60)
    assert command.returncode == 0, out
    assert "left the checksums for another time: a client has come" in out
    database.put_to_sleep()
    # killed: it is begun anew
    command, pid = checksums_begun(database)
    command.kill()
    command.communicate()
    assert database.psql() == "1"
    database.put_to_sleep()
    run("sockwake", "maintain", name).expect(0, "verified the checksums of all pages")
    assert not Path(f"/proc/{pid}").exists()
    database.asleep()
    run("sockwake", "backup", name).expect(0)
    # a page that has rotted
    table = max(database.cluster.glob("base/*/*"), key=lambda path: path.stat().st_size)
    with table.open("r+b") as file:
        file.seek(100_000)
        file.write(os.urandom(100))
    run("sockwake", "maintain", name).expect(1, "is damaged: ", f"{table}", "block 12")
    database.asleep()
    told = f"{name}: a page of its data is damaged"
    run("sockwake", "doctor", name).expect(1, told, f"sockwake restore {name}")
    run("sockwake", "restore", name).expect(0)
    assert told not in str(run("sockwake", "doctor", name))
    due = run("sockwake", "maintain", "--check", name).expect(PENDING).out
    assert "the checksums of its pages were never verified" in due
    run("sockwake", "maintain", name).expect(0, "verified the checksums of all pages")
    assert database.psql("SELECT count(*) FROM t") == "200000"
    database.put_to_sleep()
    shutil.rmtree(f"/var/backups/sockwake/{name}")


@pytest.mark.soak
def test_a_window_with_hours_keeps_it_awake_for_its_own_jobs(database: Database) -> None:
    name = database.name
    run("sockwake", "maintain", name).expect(0)
    database.asleep()
    run("sockwake", "set", name, f"MAINTAIN={in_seconds(4, 14)}").expect(0, "MAINTAIN now")
    assert not is_awake(database)
    until("its window has begun", lambda: is_awake(database))
    [hold] = [each for each in holds(database) if each["who"] == "MAINTAIN="]
    was_woken_by(database, "its hours (MAINTAIN=)")
    until_gone("its window is over", lambda: holds(database))
    database.asleep()
    assert hold["until"]
    # of which nothing is due it sleeps on, and a time alone wakes it only then
    soon, _, _ = in_seconds(4, 5).partition("-")
    run("sockwake", "set", name, f"MAINTAIN={soon} UTC").expect(0)
    unit = f"pg-maintain@{name}.service"
    before = database.property(unit, "InvocationID")
    until("its time has come", lambda: database.property(unit, "InvocationID") != before)
    until("it was looked at", lambda: database.state(unit) == "inactive")
    assert "nothing is due of" in must("journalctl", "-u", unit, "-o", "cat")
    assert not is_awake(database)
    run("sockwake", "rm", name, "--purge").expect(0)
    assert database.state(f"pg-maintain@{name}.timer") == "inactive"
    assert not Path(f"/var/lib/systemd/timers/stamp-pg-maintain@{name}.timer").exists()
    assert not Path(f"/var/lib/sockwake/upkeep.d/{name}").exists()


@pytest.mark.soak
def test_a_user_s_own_is_looked_after_too(account: Account, user_database: Own) -> None:
    maintain = "sockwake maintain --user mine"
    account.run(*maintain.split()).expect(0, "maintained mine: ")
    user_database.asleep()
    soon, _, _ = in_seconds(5, 6).partition("-")
    account.run("sockwake", "set", "--user", "mine", f"MAINTAIN={soon} UTC").expect(0)
    where = "systemctl --user show --property=InvocationID --value pg-maintain@mine.service"

    def runs() -> str:
        return account.must(*where.split()).strip()

    before = runs()
    until("its time has come", lambda: runs() != before)
    unit = "systemctl --user is-active pg-maintain@mine.service"
    until("its upkeep has ended", lambda: account.run(*unit.split()).out.strip() == "inactive")
    user_database.asleep()
    told = json.loads(account.must("sockwake", "status", "--user", "-j", "mine"))["upkeep"]
    assert told["when"] == [f"{soon} UTC"] and told["last"]["failure"] is None
