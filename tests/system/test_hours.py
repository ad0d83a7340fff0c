"""The hours of KEEP= go on behind what has its server stop in them; those of MAINTAIN= wait."""

from __future__ import annotations

import time

import pytest

from held import holds, hours_without_data, in_seconds, is_awake
from instances import Make
from moment import until, until_gone
from program import must, start


def test_behind_a_move_to_another_runtime_it_is_awake_again(instance: Make) -> None:
    database = instance()
    must("sockwake", "set", "pg1", "KEEP=00:00-24:00")
    until("its hours have begun", lambda: database.ls()["state"] == "awake")
    held = "pg-held@pg1.service"
    until("nobody looks after it", lambda: database.state(held) == "inactive")
    must("sockwake", "runtime", "pg1", "engine", timeout=120)
    until("it is awake again", lambda: database.ls()["state"] == "awake")
    must("sockwake", "runtime", "pg1", "crun", timeout=120)  # while it is still looked after
    until("it is awake again", lambda: database.ls()["state"] == "awake")
    must("sockwake", "sleep", "--force", "pg1")
    until("nobody looks after it", lambda: database.state(held) == "inactive", 90)


@pytest.mark.soak
def test_what_cannot_start_in_its_hours_is_tried_ever_later(instance: Make) -> None:
    """The end of each try starts no other at once."""
    database, held = instance(), "pg-held@pg1.service"
    with hours_without_data(database):
        time.sleep(20)
        must("journalctl", "--sync")
        said = must("journalctl", "--output=cat", "--since=-20s", f"--unit={held}")
    assert 2 <= said.count("cannot start") <= 5, said
    until("it is awake", lambda: is_awake(database), 60)


@pytest.mark.soak
def test_a_window_begins_and_ends_though_the_upkeep_of_another_takes_longer(instance: Make) -> None:
    """For the jobs of its own it is awake in it; nothing of the upkeep begins behind it."""
    database = instance(idle="1s")
    database.psql()
    database.asleep()
    unit = "pg-maintain@pg1.service"
    must("mkdir", "-p", "-m", "0700", "/run/sockwake-maintain")
    other = start("flock", "--no-fork", "/run/sockwake-maintain", "sleep", "100")
    try:
        must("sockwake", "set", "pg1", f"MAINTAIN={in_seconds(4, 16)}")
        until("its window has begun", lambda: is_awake(database))
        assert [each["who"] for each in holds(database)] == ["MAINTAIN="]
        until_gone("its window is over", lambda: holds(database))
        database.asleep()
    finally:
        other.kill()
        other.wait()
    until("its turn has come", lambda: database.state(unit) == "inactive")
    assert "left pg1 alone: its hours were over" in must("journalctl", "-u", unit, "-o", "cat")
    assert not is_awake(database)
