"""What real clients do with a database works as against a plain server."""

from __future__ import annotations

import hashlib
import signal
from pathlib import Path

import pytest

from instances import Make
from moment import until
from program import start

LARGE = 1 << 30  # bytes


def test_dump_and_restore(instance: Make, tmp_path: Path) -> None:
    database = instance(version="17")  # the machine's pg_dump is 17
    database.tool("pgbench", "-i", "-s", "3", "--quiet")
    before = database.psql("select count(*), sum(aid) from pgbench_accounts")
    database.tool("pg_dump", "--format=custom", f"--file={tmp_path}/dump")
    database.asleep()
    database.psql("create database again")
    database.asleep()
    database.tool("pg_restore", "--dbname=again", f"{tmp_path}/dump")
    assert (
        database.psql("select count(*), sum(aid) from pgbench_accounts", "-d", "again")
        == before
        == "300000|45000150000"
    )


@pytest.mark.soak
def test_a_large_copy_in_and_out(instance: Make, tmp_path: Path) -> None:
    database = instance()
    database.psql("create unlogged table big (line text)")
    row = "x" * 1023
    rows = LARGE // 1024
    database.psql(rf"\copy big from program 'yes {row} | head -n {rows}'", timeout=240)
    assert (
        database.psql("select count(*), sum(length(line) + 1) from big", timeout=120)
        == f"{rows}|{LARGE}"
    )
    database.psql(rf"\copy big to program 'sha256sum > {tmp_path}/sum'", timeout=240)
    wanted = hashlib.sha256()
    for _ in range(1024):
        wanted.update((row.encode() + b"\n") * (rows // 1024))
    assert (tmp_path / "sum").read_text().split()[0] == wanted.hexdigest()


def test_cancelled_query(instance: Make) -> None:
    database = instance()
    client = database.start_psql("select pg_sleep(300)")
    try:
        running = (
            "select count(*) from pg_stat_activity "
            "where query like 'select pg_sleep(300)%' and state = 'active'"
        )
        with database.connect() as other:
            until("the query runs", lambda: other.value(running) == "1")
            client.send_signal(signal.SIGINT)
            said = client.communicate(timeout=30)[0]
            until("the query has ended", lambda: other.value(running) == "0")
    finally:
        client.kill()
    assert "canceling statement due to user request" in said


def test_listen_and_notify(instance: Make) -> None:
    database = instance()
    listener = start(
        "psql", "-h", "127.0.0.1", "-p", str(database.port), "-XAt", env=database.environment
    )
    assert listener.stdin and listener.stdout
    try:
        listener.stdin.write("listen news;\n\\echo listening\n")
        listener.stdin.flush()
        while line := listener.stdout.readline():
            if line == "listening\n":
                break
        database.psql("notify news, 'it works'")
        said = listener.communicate("select 1;\n", timeout=30)[0]
    finally:
        listener.kill()
    assert 'Asynchronous notification "news" with payload "it works" received' in said


def test_pgbench_with_many_clients(instance: Make) -> None:
    database = instance()
    database.tool("pgbench", "-i", "-s", "2", "--quiet")
    said = database.tool("pgbench", "-c", "20", "-j", "2", "-t", "50", "--no-vacuum", timeout=120)
    assert "number of transactions actually processed: 1000/1000" in said
    assert "number of failed transactions: 0" in said
    reconnecting = "-c 4 -j 2 -t 25 --connect --select-only --no-vacuum".split()
    said = database.tool("pgbench", *reconnecting, timeout=120)
    assert "number of transactions actually processed: 100/100" in said
