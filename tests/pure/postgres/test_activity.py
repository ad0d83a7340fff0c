"""Whether a PostgreSQL is at work, from its process titles (PostgreSQL's ps_status.c)."""

import os
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockwake.postgres.activity import _titles, is_at_work, is_busy

NAME = st.text(min_size=1, max_size=63)
HOSTS = [
    "[local]",
    "127.0.0.1(54321)",
    "::1(1)",
    "fe80::1%eth0(7)",
    "localhost(54321)",
]  # the last with log_hostname
CLUSTERS = ["", "main: ", "a b: ", "parallel worker: ", "postgres: ", "x: y: "]
AT_WORK = [
    "SELECT",
    "SELECT waiting",
    "idle in transaction",
    "idle in transaction (aborted)",
    "startup",
    "authentication",
    "COPY",
    "VACUUM",
    "streaming 0/3000148",
    'sending backup "pg_basebackup base backup"',
    "idle (not quite)",
]
WORKERS = [
    "autovacuum worker shop",
    "autovacuum worker",
    "autovacuum worker process shop",
    "parallel worker for PID 4711",
    "walreceiver streaming 0/3000148",
    "logical replication apply worker for subscription 16394",
    "logical replication tablesync worker for subscription 16394 sync 16390",
    "logical replication parallel apply worker for subscription 1",
]
HOUSEKEEPING = [
    "checkpointer",
    "background writer",
    "walwriter",
    "autovacuum launcher",
    "logical replication launcher",
    "archiver",
    "archiver last was 000000010000000000000001",
    "io worker 0",
    "walsummarizer",
    "slotsync worker",
    "logger",
    "stats collector",
]


@pytest.mark.parametrize("cluster", CLUSTERS)
@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("names", ["me mine", "walsender me", "a b c d", "ü ü"])
def test_a_session_is_at_work_unless_it_is_idle(cluster: str, host: str, names: str) -> None:
    title = f"postgres: {cluster}{names} {host}"
    assert not is_at_work(f"{title} idle")
    assert [activity for activity in AT_WORK if not is_at_work(f"{title} {activity}")] == []


@pytest.mark.parametrize("host", HOSTS)
def test_a_title_without_an_activity_counts_as_at_work(host: str) -> None:
    """With update_process_title=off it ends with the host."""
    assert is_at_work(f"postgres: me mine {host}")


@pytest.mark.parametrize("cluster", CLUSTERS)
@pytest.mark.parametrize("title", WORKERS)
def test_a_worker_is_at_work(cluster: str, title: str) -> None:
    assert is_at_work(f"postgres: {cluster}{title}")


@pytest.mark.parametrize("cluster", CLUSTERS)
@pytest.mark.parametrize("title", HOUSEKEEPING)
def test_background_processes_are_not_at_work(cluster: str, title: str) -> None:
    assert not is_at_work(f"postgres: {cluster}{title}")


@given(NAME, NAME, st.sampled_from(HOSTS), st.sampled_from([*AT_WORK, "idle"]))
def test_no_user_or_database_name_changes_the_result(
    user: str, database: str, host: str, activity: str
) -> None:
    assert is_at_work(f"postgres: {user} {database} {host} {activity}") == (activity != "idle")


@pytest.mark.parametrize(
    "name",
    [
        "[local]",
        "[local] idle",
        "x [local] idle",
        "1(1)",
        "idle",
        "autovacuum worker",
        "a: b",
        "postgres:",
        "(1) idle",
        "a\nb",
        "\n",
    ],
)
@pytest.mark.parametrize(("activity", "expected"), [("SELECT", True), ("idle", False)])
def test_no_name_that_imitates_a_title_changes_the_result(
    name: str, activity: str, expected: bool
) -> None:
    for user, database in ((name, "mine"), ("me", name), (name, name)):
        assert is_at_work(f"postgres: {user} {database} [local] {activity}") is expected


@pytest.mark.parametrize(
    ("title", "expected"),
    [("postgres: me mine [local] idle", False), ("postgres: me mine [local] SELECT", True)],
)
def test_titles_are_read_from_the_server_s_children(title: str, expected: bool) -> None:
    child = f"subprocess.Popen(['{title}'], executable='/bin/cat', stdin=subprocess.PIPE)"
    program = f"import subprocess, time; {child}; time.sleep(60)"
    postmaster = subprocess.Popen([sys.executable, "-c", program])
    try:
        deadline = time.monotonic() + 20
        while not (
            titles := [seen for seen in _titles(postmaster.pid) if seen.startswith("postgres:")]
        ):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert titles == [title]
        assert is_busy(postmaster.pid) is expected
    finally:
        postmaster.kill()
        postmaster.wait()


def test_a_server_that_has_ended_is_not_busy() -> None:
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)
    assert is_busy(child) is False
