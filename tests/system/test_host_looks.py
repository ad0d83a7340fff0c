"""What is looked for beside the sandbox of a PostgreSQL of the host: a client, and its needs."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest

from database import Database
from instances import Make
from moment import until
from program import must, run
from refusal import ASLEEP_OR_FAILED
from stranger import knock, turned_away, wakes

PREPARE = Path("/usr/share/sockwake/bin/prepare")
STARTING = "starting PostgreSQL"


def is_turned_away(database: Database, number: int) -> bool:
    return turned_away(database) == number


@pytest.mark.fault
def test_what_looks_beside_its_sandbox_is_killed_and_the_next_client_is_served(host: Make) -> None:
    database = host("--tls")
    database.asleep()
    (database.cluster / "server.crt").unlink()  # it has to be placed anew
    slow = Path("/run/prepare-slowly")
    slow.write_text("#!/bin/sh\nexec sleep 1000\n")
    slow.chmod(0o755)
    must("mount", "--bind", str(slow), str(PREPARE))
    try:
        client = database.start_psql()
        until("it is made ready", lambda: (database.run / "unprepared").exists())
        until("it has begun", lambda: run("pgrep", "--full", "^sleep 1000$").status == 0)
        assert database.main_pid(database.backend), "its server waits for that"
        must("pkill", "--full", "--signal=KILL", "^sleep 1000$")
        assert client.wait(60) == 2
        assert (database.run / "failure").read_text() == "what makes its cluster was killed\n"
    finally:
        must("umount", str(PREPARE))
        slow.unlink()
    database.asleep(backend=ASLEEP_OR_FAILED)
    assert database.psql() == "1"
    assert not (database.run / "unprepared").exists()
    database.asleep()


def test_the_directory_of_its_socket_is_made_anew_behind_a_boot(host: Make) -> None:
    database = host()
    database.asleep()
    must("rm", "--recursive", "/run/sockwake")
    must("systemd-tmpfiles", "--create", "sockwake.conf")
    assert database.psql() == "1"
    assert Path("/run/sockwake").stat().st_mode & 0o777 == 0o700
    assert (database.run / "backend").owner() == "postgres"
    database.asleep()


@pytest.mark.fault
def test_a_look_while_it_serves_is_no_reason_for_its_end(host: Make) -> None:
    """Held awake it has no proxy: a port scan has it looked for a client again."""
    database = host()
    must("sockwake", "keep", "pg1")
    until("its proxy has gone", lambda: database.state(database.proxy) == "inactive")
    knock(database)
    until("its proxy has come and gone", lambda: database.state(database.proxy) == "inactive")
    assert not (database.run / "nobody").exists(), "it is held: no look ends it"
    must("sockwake", "release", "pg1", "--all")
    must("sockwake", "sleep", "pg1")
    rows = json.loads(must("sockwake", "history", "pg1", "--json"))
    assert [row["why"] for row in rows if row["event"] == "wake"][-1], "its end"


def test_a_port_scan_wakes_nothing(host: Make) -> None:
    database = host()
    database.asleep()
    started = database.journal().count(STARTING)
    for number, said in enumerate(("", "x"), 1):
        must("bash", "-c", f"printf '{said}' >/dev/tcp/127.0.0.1/{database.port}")
        until("it is turned away", partial(is_turned_away, database, number))
        database.asleep()
    assert database.journal().count(STARTING) == started
    assert database.psql() == "1"
    assert wakes(database) == 1
    database.asleep()
