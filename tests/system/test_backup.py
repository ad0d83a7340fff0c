"""Backups of sleepers and of awake ones, and what is restored of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from account import MakeOwn, Own
from database import Database
from host_postgres import VERSION, version_for
from instances import Know, Make
from moment import until
from program import Ran, must, run, start

FAILED, IN_USE = 1, 4
PLACE = Path("/var/backups/sockwake")
DATA = Path("/var/lib/sockwake")
RUNTIMES = pytest.mark.parametrize(
    "runtime",
    [
        "crun",
        pytest.param("engine", marks=pytest.mark.soak),
        pytest.param("host", marks=pytest.mark.soak),
    ],
)


@pytest.fixture(autouse=True)
def _no_backups_left() -> Iterator[None]:
    yield
    must("rm", "-rf", str(PLACE))


def sockwake(*words: str, status: int = 0) -> Ran:
    return run("sockwake", *words, timeout=180).expect(status)


def backup(*words: str) -> dict[str, Any]:
    """Make one backup; what is told of it."""
    (made,) = json.loads(sockwake("backup", *words, "--json").out)
    return dict(made)


def invocation(database: Database) -> str:
    """What tells one awakening from all others."""
    return database.property(database.backend, "InvocationID")


@RUNTIMES
def test_asleep_awake_or_dumped_every_row_comes_back(
    instance: Make, known: Know, runtime: str
) -> None:
    version = version_for(runtime)
    # libpq takes a name with "=" in it for a connection string
    named = ("--port", "25501", "--db-name", "shop=1")
    database = instance("--runtime", runtime, *named, version=version)
    other = known("pg2")
    database.psql("create table kept as select 1 as n")
    system = database.psql("select system_identifier from pg_control_system()")
    database.asleep()
    awake = invocation(database)
    stopped = backup("pg1")
    assert (stopped["method"], stopped["system_identifier"]) == ("files", system)
    assert json.loads(sockwake("backup", "--all", "--if-changed", "--json").out) == []
    assert invocation(database) == awake, "it slept on"
    database.psql("update kept set n = 2")
    with database.at_work() as client:
        online = backup("pg1", "--if-changed")
        assert client.value("select n from kept") == "2"
        assert "is awake" in sockwake("restore", "pg1", status=IN_USE).err
    assert online["method"] == "basebackup"
    database.psql("update kept set n = 3")
    database.psql("create database archive allow_connections false")
    assert "leaves out database archive" in sockwake("backup", "--dump", "pg1", status=1).err
    database.psql("drop database archive")
    dumped = backup("pg1", "--dump")
    files = {each.name for each in Path(dumped["path"], "data").iterdir()}
    assert {"globals.sql", "postgres.dump", "template1.dump"} <= files
    assert b"CREATE ROLE" in Path(dumped["path"], "data/globals.sql").read_bytes()
    database.asleep()
    for made, rows in ((stopped, "1"), (online, "2")):
        sockwake("restore", "pg1", "--from", made["timestamp"])
        assert database.psql("select n from kept") == rows
        database.asleep()
        sockwake("restore", "pg1", "--back")
        assert database.psql("select n from kept") == "3"
        database.asleep()
        sockwake("restore", "pg1", "--forget")
    copied = sockwake("copy", "pg1", "pg2", "--from", online["timestamp"])
    assert "it has a password of its own" in copied.out
    other.open()
    assert other.psql("select n from kept") == "2" and other.password != database.password
    other.asleep()
    assert [each.name for each in DATA.iterdir() if "before" in each.name] == []


@pytest.mark.soak
@pytest.mark.parametrize(("before", "after"), [("crun", "host"), ("host", "crun")])
def test_a_backup_serves_whatever_ran_its_server(instance: Make, before: str, after: str) -> None:
    """An image's server is another user than the host's."""
    first = instance("--runtime", before, version=VERSION)
    first.psql("create table kept as select 42 as n")
    first.asleep()
    backup("pg1")
    sockwake("rm", "pg1", "--purge")
    database = instance("--runtime", after, version=VERSION)
    database.psql()
    database.asleep()
    sockwake("restore", "pg1")
    assert database.psql("select n from kept") == "42"
    database.asleep()
    sockwake("restore", "pg1", "--back")
    assert database.psql() == "1"
    database.asleep()


@pytest.mark.soak
def test_a_backup_of_a_machine_whose_users_have_other_numbers(instance: Make, known: Know) -> None:
    database, other = instance("--runtime", "host", version=VERSION), known("pg2")
    database.psql("create table kept as select 42 as n")
    database.asleep()
    made = backup("pg1")
    must("chown", "-R", "4242:4242", f"{made['path']}/data")
    sockwake("restore", "pg1", "--as", "pg2")
    other.open()
    assert other.psql("select n from kept") == "42"
    other.asleep()
    sockwake("restore", "pg1")
    assert database.psql("select n from kept") == "42"
    database.asleep()


def test_a_client_that_comes_during_a_long_copy_is_served_first(instance: Make) -> None:
    database = instance()
    database.psql("create table kept as select 42 as n")
    database.asleep()
    many = database.data / "many"
    many.mkdir()
    for number in range(40_000):
        (many / f"{number}").write_text("x")
    place = PLACE / "pg1"
    going = start("sockwake", "backup", "pg1")
    until("the copy has begun", lambda: [*place.glob(".new-*/data/many")], 20)
    assert database.psql("select n from kept") == "42"
    assert going.wait(180) == 0
    assert [each.suffix for each in place.iterdir()] == [".basebackup"]
    database.asleep()


@pytest.mark.soak
def test_a_user_s_own_are_backed_up_below_their_home(user_database: Own, own: MakeOwn) -> None:
    account = user_database.account
    assert user_database.answer("create table kept as select 42 as n") == "SELECT 1"
    user_database.asleep()
    (made,) = json.loads(account.must("sockwake", "backup", "--user", "mine", "--json"))
    assert "/.local/state/sockwake/backups/mine/" in made["path"]
    assert user_database.answer("drop table kept") == "DROP TABLE"
    (online,) = json.loads(account.must("sockwake", "backup", "--user", "mine", "--json"))
    assert online["method"] in ("basebackup", "files")
    user_database.asleep()
    account.must("sockwake", "restore", "--user", "mine", "--from", made["timestamp"])
    assert user_database.answer("select n from kept") == "42"
    user_database.asleep()
    account.must("sockwake", "restore", "--user", "mine", "--forget")


def test_a_backup_is_proven_and_damage_is_found_and_counts_for_nothing(instance: Make) -> None:
    # a slot with which no server starts that lacks this setting of the command line
    database = instance("--set", "wal_level=logical")
    database.psql("select pg_create_logical_replication_slot('kept', 'test_decoding')")
    database.psql("create table kept as select n from generate_series(1, 50000) n")
    table = database.psql("select pg_relation_filepath('kept')")
    backups = [backup("pg1", "--dump")]
    with database.at_work():
        backups.append(backup("pg1"))
    database.asleep()
    backups.append(backup("pg1"))
    for made in backups:
        said = sockwake("backups", "verify", "pg1", "--from", made["timestamp"]).out
        assert "is good: it has all its" in said
    assert "all its checksums are right" in said and "answers in postgres" in said
    place = Path(backups[-1]["path"], "data/18/docker", table)
    with open(place, "r+b") as file:
        file.seek(100_000)
        file.write(b"damage")
    (told,) = json.loads(sockwake("backups", "verify", "--all", "--json", status=FAILED).out)
    assert told["timestamp"] == backups[-1]["timestamp"] and "pg_checksums" in told["damage"]
    with open(Path(backups[0]["path"], "data/postgres.dump"), "r+b") as file:
        file.seek(-100, 2)
        file.write(bytes(60))
    refused = sockwake("backups", "verify", "pg1", "--from", backups[0]["timestamp"], status=FAILED)
    assert "is damaged: " in refused.err
    sockwake("backups", "expire", "pg1", "--keep", "1")
    left = json.loads(sockwake("backups", "ls", "pg1", "--json").out)
    assert [each["method"] for each in left] == ["basebackup", "files"], "the last good one stays"
    said = sockwake("restore", "pg1").out
    assert backups[1]["timestamp"] in said, "it is the newest that is good"
    assert database.psql("select count(*) from kept") == "50000"
    database.asleep()
    sockwake("restore", "pg1", "--forget")
    sockwake("rm", "pg1", "--purge")
    sockwake("backups", "verify", "pg1")
    assert not database.run.exists()


def test_a_copy_for_an_hour_removes_itself_with_its_clients(instance: Make, known: Know) -> None:
    database, branch = instance(), known("pg2")
    database.psql("create table kept as select 42 as n")
    database.asleep()
    said = sockwake("copy", "pg1", "pg3", "--ttl", "1h").out
    assert "it goes at " in said
    sockwake("rename", "pg3", "pg2")  # which goes all the same
    branch.open()
    client = branch.connect()
    assert client.value("select n from kept") == "42"
    refused = sockwake("rm", "--expired", "pg2", status=FAILED)
    assert "and not before" in refused.err and client.value("select n from kept") == "42"
    refused = sockwake("rm", "--expired", "pg1", status=FAILED)
    assert "was not made to expire" in refused.err
    assert "expires" in sockwake("status", "pg2").out
    soon = must("date", "-u", "-d", "+5 seconds", "+%F %T UTC")
    (branch.etc / "expires").write_text(soon)
    must("systemctl", "daemon-reload")
    gone = (branch.etc, DATA / "pg2")
    until("it is gone", lambda: not any(each.exists() for each in gone), 60)
    ended = ("inactive", "failed")
    until("all has ended", lambda: branch.state("pg-expire@pg2.service") in ended, 30)
    client.vanish()
    assert database.psql("select n from kept") == "42"
    database.asleep()


@pytest.mark.soak
def test_a_removal_that_was_interrupted_is_made_up_for(instance: Make, known: Know) -> None:
    """As by a power cut: its timer has elapsed, and its time does not come again."""
    instance().put_to_sleep()
    branch = known("pg2")
    sockwake("copy", "pg1", "pg2", "--ttl", "1h", "--keep-password")
    timer = "pg-expire@pg2.timer"
    must("systemctl", "stop", timer)
    (branch.etc / "expires").write_text(must("date", "-u", "-d", "-3 hours", "+%F %T UTC"))
    must("touch", "--date=-2 hours", f"/var/lib/systemd/timers/stamp-{timer}")
    must("systemctl", "daemon-reload")
    must("systemctl", "start", timer)  # as a boot does
    until("it is gone", lambda: not branch.etc.exists() and not (DATA / "pg2").exists(), 60)
    until("all has ended", lambda: branch.state("pg-expire@pg2.service") == "inactive", 30)


@pytest.mark.soak
def test_what_cannot_be_proven_for_want_of_room_is_not_taken_for_damaged(instance: Make) -> None:
    """It would expire, and never be restored again."""
    database = instance()
    database.put_to_sleep()
    made = backup("pg1")
    full = database.run / "programs"
    full.mkdir()
    must("mount", "-t", "tmpfs", "-o", "size=4k", "full", str(full))
    try:
        said = sockwake("backups", "verify", "pg1", status=FAILED).err
    finally:
        must("umount", str(full))
    assert "No space left on device" in said and "damaged" not in said
    (found,) = json.loads(sockwake("backups", "ls", "pg1", "--json").out)
    assert (found["path"], found["damage"], found["verified"]) == (made["path"], None, None)
    sockwake("backups", "verify", "pg1")
