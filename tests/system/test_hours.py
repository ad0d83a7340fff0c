"""The hours of KEEP= go on behind what has its server stop in them."""

from __future__ import annotations

from instances import Make
from moment import until
from program import must


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
