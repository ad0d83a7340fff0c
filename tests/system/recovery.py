"""Disturb a database, with a session or asleep, and prove that it has healed."""

from __future__ import annotations

from client import Client, Lost, Refused
from database import Database
from instances import Make
from moment import until


def awake(instance: Make) -> tuple[Database, Client]:
    """An instance with something committed in it, and a client that stays."""
    database = instance()
    database.psql("create table kept as select generate_series(1, 1000) as n")
    return database, joined(database)


def joined(database: Database) -> Client:
    """A client that stays, within a transaction."""
    client = database.connect()
    client.query("begin")
    database.proxy_before = database.main_pid(database.proxy)
    assert database.proxy_before
    return client


def asleep_with_a_row(instance: Make) -> Database:
    """An instance with something committed in it that sleeps."""
    database = instance()
    database.psql("create table kept as select 1 as n")
    database.asleep()
    return database


def heals(database: Database, client: Client) -> None:
    """Assert that the session has ended, and that the next client finds every committed row.

    The next client comes when the proxy has ended: before, it would be led to the dead server.
    """
    until("the client notices", lambda: has_ended(client))
    client.vanish()
    until("its proxy has gone", lambda: database.main_pid(database.proxy) != database.proxy_before)
    assert database.psql("select sum(n) from kept") == "500500"
    database.asleep()
    assert database.psql("select sum(n) from kept") == "500500"


def has_ended(client: Client) -> bool:
    try:
        client.query("select 1")
    except (Lost, Refused):
        return True
    return False
