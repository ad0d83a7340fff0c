"""A PostgreSQL that works does not sleep, however silent its clients are."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from instances import Make
from moment import until
from soak import only_in_soak
from wakefulness import IDLE, LONG, client_program, stays_awake


def test_running_query_and_open_transaction_keep_it_awake(instance: Make) -> None:
    database = instance(idle=f"{IDLE}s")
    with database.connect() as client:
        server = database.server_pid()
        client.query(f"select pg_sleep({LONG})")
        assert database.server_pid() == server
        client.query("begin")
        client.query("select 1")
        stays_awake(database)
        client.query("commit")
        database.asleep()


@pytest.mark.soak
def test_vacuum_keeps_it_awake(instance: Make) -> None:
    """A vacuum that is throttled so that it takes about ten seconds."""
    database = instance("--set", "autovacuum=off", idle=f"{IDLE}s")
    database.psql(
        "create table big as select n, repeat('x', 500) as line from generate_series(1, 50000) as n"
    )
    database.psql("delete from big")
    slow = "set vacuum_cost_delay = '20ms'", "set vacuum_cost_limit = 15", "vacuum big"
    with client_program(database, "psql", "-XAt", *(f"--command={sql}" for sql in slow)) as vacuum:
        until(
            "it runs", lambda: database.psql("select count(*) from pg_stat_progress_vacuum") == "1"
        )
        began = time.monotonic()
        said = vacuum.communicate(timeout=60)[0]
    assert time.monotonic() - began > 3 * IDLE, "it was too short to prove anything"
    assert said.endswith("VACUUM\n"), said
    database.asleep()


def test_autovacuum_without_a_client_keeps_it_awake(instance: Make) -> None:
    eager = (
        "--set autovacuum_naptime=1s --set autovacuum_vacuum_cost_delay=20ms "
        "--set autovacuum_vacuum_cost_limit=20 --set autovacuum_vacuum_threshold=1"
    )
    database = instance(*eager.split(), idle=f"{IDLE}s")
    database.psql(
        "create table big as select n, repeat('x', 500) as line from generate_series(1, 20000) as n"
    )
    database.psql("delete from big")
    workers = "select count(*) from pg_stat_activity where backend_type = 'autovacuum worker'"
    finds = f"{workers} and query like '%big%'"
    until("the autovacuum runs", lambda: int(database.psql(finds)) >= 1)
    until("its proxy has left", lambda: database.state(database.proxy) == "inactive")
    stays_awake(database, IDLE * 1.5)
    database.asleep(timeout=60)


@pytest.mark.parametrize("program", ["pg_basebackup", *only_in_soak("pg_receivewal")])
def test_replication_keeps_it_awake(instance: Make, tmp_path: Path, program: str) -> None:
    database = instance(version="17", idle=f"{IDLE}s")  # the machine's clients are of 17
    hba = database.cluster / "pg_hba.conf"
    hba.write_text(hba.read_text() + "local replication all scram-sha-256\n")
    database.psql("select pg_reload_conf()")
    more = (
        ("--directory", str(tmp_path), "--no-loop", "--status-interval=600")
        if program == "pg_receivewal"
        else (
            "--pgdata",
            f"{tmp_path}/copy",
            "--checkpoint=fast",
            "--max-rate=1M",
            "--wal-method=fetch",
        )
    )
    with client_program(database, program, *more):
        until(
            "it is connected",
            lambda: database.psql("select count(*) from pg_stat_replication") != "0",
        )
        stays_awake(database)
    database.asleep()
