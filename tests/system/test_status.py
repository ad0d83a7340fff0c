"""sockwake ls and status of an instance that is awake, and what looking does not do."""

from __future__ import annotations

import json
import os
import time
from typing import Any

import pytest

from database import Database
from instances import Make
from moment import until
from program import must, run
from soak import only_in_soak


def status(database: Database) -> dict[str, Any]:
    database.settle()
    facts: dict[str, Any] = json.loads(must("sockwake", "status", database.name, "--json"))
    return facts


@pytest.mark.parametrize("runtime", ["crun", *only_in_soak("engine")])
def test_why_it_is_awake_is_told(instance: Make, runtime: str) -> None:
    database = instance("--runtime", runtime, idle="1h")
    began = time.time()
    with database.connect(source="127.0.0.77") as client:
        address = client.local_address
        client.query("begin")
        assert client.value("select 42") == "42"
        facts = status(database)
        assert (facts["state"], facts["clients"], facts["next_sleep"]) == ("awake", 1, None)
        assert began - 2 <= facts["state_since"] <= time.time() + 1
        [one] = facts["connections"]
        assert (one["from"], one["pid"], one["user"]) == (client.local_address, os.getpid(), "root")
        [session] = facts["sessions"]
        assert (session["state"], session["query"]) == ("idle in transaction", "select 42")
        assert session["transaction_seconds"] < 60 and one["session"] == session["pid"]
        shown = must("sockwake", "status", database.name)
        [line] = [each for each in shown.splitlines() if "idle in transaction for " in each]
        assert line.startswith(f"  client      {address} (") and "  session  " not in shown
        with database.connect(source="127.0.0.78") as another:
            another.query("select 43")
            facts, second = status(database), another.local_address
        queries = {each["pid"]: each["query"] for each in facts["sessions"]}
        assert {each["from"]: queries[each["session"]] for each in facts["connections"]} == {
            address: "select 42",
            second: "select 43",
        }
    assert facts["last_woken_by"] == address
    phases = facts["last_wake_phases"]
    assert {"preparation", "postgres"} <= phases.keys()
    assert sum(phases.values()) == pytest.approx(facts["last_wake_seconds"], abs=0.01)
    assert facts["data_bytes"] > 1 << 20 and facts["image_bytes"] > 1 << 20

    def sleeps_in_an_hour() -> bool:
        moment = database.ls()["next_sleep"]
        return isinstance(moment, int) and 3500 < moment - time.time() <= 3601

    until("it is known when it will sleep", sleeps_in_an_hour)
    assert "  sleeps      in 59min\n" in must("sockwake", "status", database.name)
    must("sockwake", "keep", database.name, "--for", "1h", "--reason", "a backup")
    row = database.ls()
    assert (row["held"], row["next_sleep"]) == (True, None)
    assert must("sockwake", "ls", "-h", database.name).split()[-1] == "held"
    assert "  held by     root" in must("sockwake", "status", database.name)
    must("sockwake", "release", database.name)
    must("systemctl", "stop", database.backend)
    database.asleep()


def test_looking_neither_wakes_it_nor_keeps_it_awake(instance: Make) -> None:
    database = instance(idle="2s")
    for command in (("ls",), ("status", database.name), ("doctor",), ("doctor", database.name)):
        run("sockwake", *command)
        assert database.state(database.backend) == "inactive", command
    database.psql("select 1")

    def looked_at_and_asleep() -> bool:
        run("sockwake", "status", database.name)
        run("sockwake", "ls", "--json")
        return not database.is_awake()

    until("it has fallen asleep", looked_at_and_asleep, 90)
    database.asleep()
    row = database.ls()
    assert (row["state"], row["memory_bytes"], row["next_sleep"]) == ("asleep", 0, None)
    assert time.time() - 30 < int(str(row["state_since"])) <= time.time() + 1
    assert must("sockwake", "ls", "-h", "--filter", "state=asleep").split()[0] == database.name
    assert database.journal(f"--unit={database.backend}").count("woken by") == 1
