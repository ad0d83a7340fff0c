"""systemctl stops and restarts units under clients: no committed row is lost."""

from __future__ import annotations

import pytest

from database import Database
from instances import Make
from program import must
from recovery import awake, heals, joined

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
