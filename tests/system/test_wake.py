"""A client connects and a database starts; the client leaves and the database stops."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from instances import Make
from moment import until
from program import must
from soak import only_in_soak


def test_first_client_ever_is_answered(instance: Make) -> None:
    database = instance()
    assert database.psql("select 6 * 7") == "42"


def test_first_client_of_an_instance_without_a_cluster_is_answered(instance: Make) -> None:
    database = instance("--no-provision")
    assert not database.data.exists() or not any(database.data.iterdir())
    assert database.psql("select 6 * 7") == "42"
    database.asleep()
    assert database.psql() == "1"


@pytest.mark.parametrize("runtime", ["crun", *only_in_soak("engine")])
def test_asleep_means_that_only_the_socket_is_left(instance: Make, runtime: str) -> None:
    database = instance("--runtime", runtime)
    assert database.processes() == []
    with database.connect() as client:
        assert client.value("select 1") == "1"
        assert len(database.processes()) >= 5, "the search for processes finds none"
    database.asleep()
    assert must("docker", "ps", "--quiet") == ""
    left = "asleep-since backend last-visit last-wake memory-taken wake.lock wakes".split()
    if runtime == "engine":
        ended = "--format={{.State.Status}} {{.State.ExitCode}}"
        assert must("docker", "inspect", ended, database.container) == "exited 0\n"
    else:
        left += ["awaited", "begun", "crun"]
        # its cache, and with crun 1.28 a directory to be mounted over
        own = {entry.name for entry in (database.run / "crun").iterdir()}
        assert own <= {".cache", ".empty-directory"}
    assert f":{database.port} " in must("ss", "-Hltn")
    assert sorted(entry.name for entry in database.run.iterdir()) == sorted(left)


def test_a_wake_that_is_cut_short_is_not_told_of_the_next(instance: Make) -> None:
    database = instance()
    must("sockwake", "wake", "pg1", "--no-block")
    must("sockwake", "sleep", "pg1", "--force")
    assert not (database.run / "asked").exists()


def test_a_connected_client_keeps_it_awake_beyond_idle(instance: Make) -> None:
    database = instance(idle="1s")
    with database.connect() as client:
        before = database.server_pid()
        client.query("select pg_sleep(3)")
        assert database.server_pid() == before
        assert client.value("select 1") == "1"
    database.asleep()


def timers_of(pid: int) -> list[str]:
    """What the kernel tells of each timer of a process."""
    told = [fd.read_text() for fd in Path(f"/proc/{pid}/fdinfo").iterdir()]
    return [text for text in told if "clockid:" in text]


def test_only_clocks_that_cannot_be_set_end_its_idle_time(instance: Make) -> None:
    """Set forward it puts nothing to sleep, set back it keeps nothing awake (timerfd_create(2))."""
    database = instance(idle="10min")
    with database.connect() as client:
        assert client.value("select 1") == "1"
    proxy = database.main_pid(database.proxy)
    until("the proxy has seen its client leave", lambda: timers_of(proxy))
    assert all("\nclockid: 1\n" in text for text in timers_of(proxy)), "CLOCK_MONOTONIC"
    until("the timer is there", lambda: database.state(database.check) == "active")
    assert "OnStartupUSec" in database.property(database.check, "TimersMonotonic")
    assert database.property(database.check, "TimersCalendar") == ""
    must("systemctl", "stop", database.proxy)


@pytest.mark.parametrize("runtime", ["crun", *only_in_soak("engine")])
def test_journal_names_the_client_the_time_and_the_phases(instance: Make, runtime: str) -> None:
    database = instance("--runtime", runtime)
    with database.connect(source="127.0.0.77") as client:
        address = client.local_address
    database.asleep()
    lines = [
        line
        for line in database.journal(f"--unit={database.backend}").splitlines()
        if "woken by" in line
    ]
    assert len(lines) == 1
    phases = r" \(python \d+, preparation \d+, engine \d+, postgres \d+\)"
    told = phases if runtime == "engine" else r" \(preparation \d+, postgres \d+\)"
    assert re.fullmatch(rf"sockwake: woken by {address} in \d+ ms{told}", lines[0])


def test_journal_has_the_servers_own_log(instance: Make) -> None:
    database = instance()
    database.psql("do $$ begin raise log 'a line of the server'; end $$")
    database.asleep()
    journal = database.journal(f"--unit={database.backend}")
    assert "LOG:  a line of the server" in journal
    assert (
        journal.rindex("database system is ready to accept connections")
        < journal.index("a line of the server")
        < journal.rindex("database system is shut down")
    )


def test_hundred_clients_at_once_onto_a_sleeping_one(instance: Make) -> None:
    database = instance()
    with ThreadPoolExecutor(100) as pool:
        clients = list(pool.map(lambda _: database.connect(), range(100)))
    try:
        answers = [
            client.value(
                "select count(*) from pg_stat_activity where backend_type = 'client backend'"
            )
            for client in clients
        ]
    finally:
        for client in clients:
            client.close()
    assert answers == ["100"] * 100
    assert database.journal().count("woken by") == 1


def test_one_client_too_many_reads_the_server_s_own_error(instance: Make) -> None:
    database = instance("--set", "max_connections=5", "--set", "superuser_reserved_connections=0")
    clients = [database.connect() for _ in range(5)]
    try:
        assert "sorry, too many clients already" in database.fatal()
    finally:
        for client in clients:
            client.close()


def test_data_outlive_the_sleep(instance: Make) -> None:
    database = instance()
    database.psql("create table kept as select generate_series(1, 1000) as n")
    for _ in range(3):
        database.asleep()
        assert database.psql("select sum(n) from kept") == "500500"
    assert "not properly shut down" not in database.journal()
