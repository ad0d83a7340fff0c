"""systemctl stops and restarts units under clients: no committed row is lost."""

from __future__ import annotations

import pytest

from database import Database
from instances import Make
from program import must, run, start
from recovery import awake, heals, joined

IN_USE = 4

pytestmark = pytest.mark.fault


def _stop_backend(database: Database) -> None:
    must("systemctl", "stop", database.backend, timeout=120)


def _restart_backend(database: Database) -> None:
    must("systemctl", "restart", database.backend, timeout=120)


def _stop_proxy(database: Database) -> None:
    must("systemctl", "stop", database.proxy, timeout=120)


def _restart_proxy(database: Database) -> None:
    must("systemctl", "restart", database.proxy, timeout=120)


def _restart_socket(database: Database) -> None:
    must("systemctl", "restart", database.socket, timeout=120)


def _stop_and_start_socket(database: Database) -> None:
    must("systemctl", "stop", database.socket, database.proxy, timeout=120)
    must("systemctl", "start", database.socket, timeout=120)


ACTS = (
    _stop_backend,
    _restart_backend,
    _stop_proxy,
    _restart_proxy,
    _restart_socket,
    _stop_and_start_socket,
)


def test_systemctl_while_awake(instance: Make) -> None:
    database, client = awake(instance)
    for act in ACTS:
        act(database)
        assert database.is_listening(), act
        heals(database, client)
        client = joined(database)
    client.close()
    database.asleep()
    assert "not properly shut down" not in database.journal()


def test_one_that_is_held_and_was_stopped_is_not_renamed(instance: Make) -> None:
    """Its hold has the old name, by which nothing could release it any more."""
    database = instance()
    must("sockwake", "keep", "pg1", "--reason", "a dump")
    must("systemctl", "stop", database.backend)
    refused = run("sockwake", "rename", "pg1", "shop").expect(IN_USE, "is kept awake by", "a dump")
    assert "sockwake release pg1 --all" in refused.err
    assert database.is_listening()
    must("sockwake", "release", "pg1")


@pytest.mark.soak
def test_no_command_fails_while_systemd_is_executed_anew(instance: Make) -> None:
    """As by an upgrade of systemd."""
    database = instance()
    work = start("sh", "-c", "while :; do systemctl daemon-reexec; sleep 0.5; done")
    try:
        for _ in range(3):
            assert database.psql() == "1"
            for words in (
                ["backup", "pg1"],
                ["sleep", "pg1"],
                ["backup", "pg1"],
                ["copy", "pg1", "pg2", "--keep-password"],
                ["rename", "pg2", "shop"],
                ["rm", "shop", "--purge"],
                ["keep", "pg1"],
                ["release", "pg1", "--all"],
                ["passwd", "pg1"],
                ["sleep", "pg1"],
            ):
                must("sockwake", *words)
    finally:
        work.kill()
        work.communicate()
    assert database.psql() == "1"
    database.asleep()
