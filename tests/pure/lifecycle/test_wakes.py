"""The last wakes of an instance, and a client that never lets it sleep."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from env_file import env
from sockwake.config.instance import Instance
from sockwake.lifecycle import runtime, wakes
from sockwake.system import files
from tree import SOURCE, Tree

POOL = "10.0.0.7"


@pytest.fixture
def instance(tree: Tree) -> Instance:
    one = tree.write_env("pg1", env())
    runtime.prepare(one)
    return one


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds since the boot, which a test sets."""
    seconds = [10_000.0]
    monkeypatch.setattr(wakes, "now", lambda: seconds[0])
    return seconds


def wake(instance: Instance, clock: list[float], client: str, after: float = 1.0) -> None:
    """It falls asleep, and this client wakes it so many seconds after that."""
    wakes.note_sleep(instance)
    clock[0] += after
    wakes.note(instance, client, 0)


def test_a_client_that_never_lets_it_sleep_is_named(
    tree: Tree, instance: Instance, clock: list[float]
) -> None:
    for number in range(4):
        wake(instance, clock, f"{POOL}:{40000 + number}", after=29)
    wake(instance, clock, "192.0.2.1:40000", after=31)
    known = wakes.in_the_last_hour(instance)
    assert wakes.flapping_client(known) == POOL
    said = "5 in the last hour, 4 of them within 30 s after it fell asleep, by 10.0.0.7: a pool"
    assert wakes.sentence(known, []).startswith(said)
    clock[0] = 10_200.0
    assert wakes.facts(known, []) == {
        "wakes": 5,
        "wakes_within_seconds": 3600,
        "wakes_soon_after_sleep": 4,
        "returns_when_let_go": 0,
        "flapping_client": POOL,
    }


def test_a_client_that_is_too_quick_to_let_it_fall_asleep_is_named(
    instance: Instance, clock: list[float]
) -> None:
    for number in range(20):
        wakes.note_return(instance, {f"{POOL}:{40000 + number}"})
        clock[0] += 60
    wakes.note_return(instance, set())
    returns = wakes.returns(instance)
    assert wakes.facts([], returns) == {
        "wakes": 0,
        "wakes_within_seconds": 3600,
        "wakes_soon_after_sleep": 0,
        "returns_when_let_go": 16,
        "flapping_client": POOL,
    }
    said = "0 in the last hour, and kept from falling asleep 16 times, by 10.0.0.7"
    assert wakes.sentence([], returns).startswith(said)
    clock[0] += 3600
    assert wakes.returns(instance) == []


def test_of_a_unix_socket_a_quick_client_has_no_name(instance: Instance) -> None:
    wakes.note_return(instance, {"4242"})
    assert [each.client for each in wakes.returns(instance)] == ["a local client"]


def test_clients_that_come_now_and_then_are_not(instance: Instance, clock: list[float]) -> None:
    for number in range(3):
        wake(instance, clock, f"{POOL}:1", after=300)
        wake(instance, clock, f"[2001:db8::{number}]:1", after=1)
    known = wakes.in_the_last_hour(instance)
    assert wakes.flapping_client(known) is None
    assert wakes.sentence(known, []) == "6 in the last hour"
    assert known[1].host == "2001:db8::0"


def test_only_the_last_hour_counts_and_only_sixteen_are_kept(
    instance: Instance, clock: list[float]
) -> None:
    for _ in range(40):
        wake(instance, clock, "a local client", after=10)
    assert len(Path(instance.wakes_file).read_text().splitlines()) == 16
    said = "16 in the last 2 min, 16 of them within 30 s after it fell asleep, by a local client:"
    assert wakes.sentence(wakes.in_the_last_hour(instance), []).startswith(said)
    clock[0] += 3601
    assert wakes.in_the_last_hour(instance) == []
    assert wakes.sentence([], []) == ""


def test_what_was_turned_away_since_it_fell_asleep_is_no_sleep(
    instance: Instance, clock: list[float]
) -> None:
    wake(instance, clock, f"{POOL}:1")
    wakes.note_sleep(instance)
    clock[0] += 60
    wake(instance, clock, f"{POOL}:1", after=1)  # the unit ended once more for a port scan
    assert [wake.slept for wake in wakes.in_the_last_hour(instance)] == [1, 61]


def test_half_a_line_hides_no_other_and_none_fails_a_wake(
    instance: Instance, clock: list[float]
) -> None:
    Path(instance.wakes_file).write_text("9990.00 - a local client\n99")
    Path(instance.asleep_since).write_text("x")
    wakes.note(instance, f"{POOL}:1", 0)
    assert [wake.host for wake in wakes.in_the_last_hour(instance)] == ["a local client", POOL]
    assert files.text_of(instance.asleep_since) == ""


def test_status_says_it(tree: Tree, instance: Instance) -> None:
    now = wakes.now()
    lines = [f"{now - 60 + number} 2.00 {POOL}:4{number}\n" for number in range(3)]
    Path(instance.wakes_file).write_text("".join(lines))
    shown = tree.sockwake("status", "pg1").stdout
    assert re.search(rf"^  wakes +3 in the last hour, 3 .* by {POOL}: ", shown, re.MULTILINE)
    told = json.loads(tree.sockwake("status", "pg1", "--json").stdout)
    assert (told["wakes"], told["flapping_client"]) == (3, POOL)


@pytest.mark.parametrize("folder", ["systemd", "systemd/user"])
def test_the_unit_notes_once_when_it_has_fallen_asleep(
    instance: Instance, tree: Tree, folder: str
) -> None:
    unit = (SOURCE / folder / "pg-postgres@.service").read_text()
    line = next(line for line in unit.splitlines() if line.startswith("ExecStopPost="))
    command = line.removeprefix("ExecStopPost=-/bin/sh -c '").rstrip("'").replace("$$", "$")
    command = command.replace("%t", "/run").replace("%i", "pg1")
    command = command.replace("/run/sockwake/pg1", instance.run)

    def end() -> float:
        told = {"SERVICE_RESULT": "success"}
        subprocess.run(["sh", "-c", command], check=True, env=os.environ | told)
        return float(files.text_of(instance.asleep_since))

    assert -60 < wakes.now() - end() < 1
    Path(instance.asleep_since).write_text("5.00\n")
    assert end() == 5
