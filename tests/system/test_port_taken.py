"""Another program has the port: it is named, and the port is opened as soon as it is free."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from database import Database
from instances import Make
from moment import until
from program import run

pytestmark = pytest.mark.fault
REOPEN = "sockwake-reopen.service"


def taken(database: Database) -> socket.socket:
    """Another program listens on its port, as at a boot when it was first."""
    run("systemctl", "stop", database.socket)
    squatter = socket.create_server(("127.0.0.1", database.port))
    run("systemctl", "start", database.socket).expect(1)
    assert database.state(database.socket) == "failed"
    return squatter


def test_the_process_that_has_the_port_is_named_and_the_port_opened_when_free(
    instance: Make,
) -> None:
    database = instance()
    database.psql("create table kept as select 1 as n")
    database.asleep()
    with taken(database):
        assert "Failed to listen on " in database.journal()
        why = f"port {database.port} is taken by process {os.getpid()} ("
        # in the moment in which it is tried again they tell another state
        until("ls names it", lambda: database.has_failed(why))
        until("status names it", lambda: why in run("sockwake", "status", "pg1").expect(0).out)
        until("it is tried again", lambda: database.state(REOPEN) == "active")
    until("the port is open", database.is_listening, 40)
    assert database.psql("select n from kept") == "1"
    until("no attempt is made any more", lambda: database.state(REOPEN) == "inactive", 40)
    assert "opened pg-proxy@pg1.socket after all" in database.journal(f"--unit={REOPEN}")


def test_a_socket_that_is_not_enabled_stays_closed(instance: Make) -> None:
    database = instance(enable=False)
    taken(database).close()
    until("no attempt is made any more", lambda: database.state(REOPEN) == "inactive", 40)
    assert database.state(database.socket) == "failed"
    run("systemctl", "start", database.socket).expect(0)


@pytest.mark.soak
def test_a_unix_socket_that_it_listens_on_no_more_is_deleted(instance: Make) -> None:
    path = Path("/run/.s.PGSQL.25503")
    database = instance("--port", "25503", "--listen", "127.0.0.1", "--listen", str(path))
    assert path.is_socket()
    run("sockwake", "set", "pg1", "LISTEN=127.0.0.1").expect(0)
    assert not path.exists() and database.psql() == "1"
    database.asleep()
    run("sockwake", "set", "pg1", f"LISTEN={path}").expect(0)
    assert path.is_socket()
    run("sockwake", "set", "pg1", "LISTEN=127.0.0.1").expect(0)
