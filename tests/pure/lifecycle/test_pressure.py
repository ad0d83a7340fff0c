"""Whether a wake may have the memory it asks for."""

import os
import time
from pathlib import Path

import pytest

from env_file import env
from sockwake.config.instance import Instance
from sockwake.lifecycle import pressure, runtime
from tree import Tree

MB = 1_000_000


@pytest.fixture
def instances(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> list[Instance]:
    made = [tree.write_env(f"pg{number}", env()) for number in range(6)]
    for each in made:
        runtime.make_directories(each)
    monkeypatch.setattr(pressure, "_stalled", lambda: 0.0)
    machine(monkeypatch, 10_000, 1_000)
    return made


def machine(monkeypatch: pytest.MonkeyPatch, total: int, available: int) -> None:
    """In MB."""
    told = {"MemTotal": total * MB, "MemAvailable": available * MB}
    monkeypatch.setattr(pressure, "_meminfo", lambda: told)


def takes(instance: Instance, megabytes: int) -> None:
    Path(instance.memory_taken).write_text(f"{megabytes * MB}\n")


@pytest.mark.parametrize(
    ("needed", "is_met"), [(400, True), (500, True), (501, False), (2000, False)]
)
def test_what_it_had_has_to_be_there_beside_a_reserve(
    instances: list[Instance], needed: int, is_met: bool
) -> None:
    """Of 10 GB the twentieth part."""
    takes(instances[0], needed)
    assert pressure.admit(instances[0]).is_met == is_met


@pytest.mark.parametrize(("total", "reserve"), [(100, 64), (2_000, 100), (64_000, 1_000)])
def test_the_reserve_has_bounds(
    instances: list[Instance], monkeypatch: pytest.MonkeyPatch, total: int, reserve: int
) -> None:
    machine(monkeypatch, total, 50_000)
    assert pressure.admit(instances[0]).reserve == reserve * MB


@pytest.mark.parametrize("text", ["", "many", "-5", "1e9", "12\x00"])
def test_without_a_note_it_is_taken_for_a_small_one(instances: list[Instance], text: str) -> None:
    Path(instances[0].memory_taken).write_text(text)
    assert pressure.admit(instances[0]).needed == 64 * MB


def test_what_others_have_still_to_take_is_promised(instances: list[Instance]) -> None:
    first, second, third, *_ = instances
    for each in (first, second, third):
        takes(each, 200)
    assert pressure.admit(first).is_met
    assert pressure.admit(second).is_met
    refused = pressure.admit(third)
    assert not refused.is_met and refused.promised == 400 * MB
    assert "400 MB of them promised to other wakes; 200 MB are needed" in str(refused)
    assert pressure.admit(first).is_met, "a wake is in its own way"


def test_a_slow_wake_is_promised_its_memory_until_it_has_come_to_an_end(
    instances: list[Instance], monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, other, *_ = instances
    for each in (slow, other):
        takes(each, 300)
    assert pressure.admit(slow, 90).is_met
    began = time.clock_gettime(time.CLOCK_BOOTTIME)
    later = [began + 60]
    monkeypatch.setattr(time, "clock_gettime", lambda _: later[0])
    assert pressure.admit(other).promised == 300 * MB
    for end, text in (("ready", ""), ("failure", ""), ("asleep-since", f"{began + 30}")):
        path = Path(f"{slow.run}/{end}")
        path.write_text(text)
        assert pressure.admit(other).promised == 0, end
        path.unlink()
    Path(f"{slow.run}/asleep-since").write_text(f"{began - 30}")
    assert pressure.admit(other).promised == 300 * MB
    later[0] = began + 91
    assert pressure.admit(other).promised == 0


def test_a_promise_ends(instances: list[Instance], monkeypatch: pytest.MonkeyPatch) -> None:
    for each in instances[:2]:
        takes(each, 300)
    assert pressure.admit(instances[0]).is_met
    assert not pressure.admit(instances[1]).is_met
    monkeypatch.setattr(pressure, "_SETTLES", 0)
    assert pressure.admit(instances[1]).is_met


@pytest.mark.parametrize("text", ["x y\n", "5\n", "\n\n", "1e300 5\n", "-1 5\n", "nan 5"])
def test_a_spoilt_note_promises_nothing(instances: list[Instance], text: str) -> None:
    Path(instances[1].promised_file).write_text(text)
    assert pressure.admit(instances[0]).promised == 0


def test_processes_that_stand_still_for_memory_hold_back_wakes(
    instances: list[Instance], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pressure, "_stalled", lambda: 10.0)
    demand = pressure.admit(instances[0])
    assert not demand.is_met and "in 10 % of the time" in str(demand)


def test_of_many_at_once_only_as_many_are_let_go_as_there_is_room_for(
    instances: list[Instance],
) -> None:
    for each in instances:
        takes(each, 240)
    children = []
    for each in instances:
        if not (child := os.fork()):
            os._exit(0 if pressure.admit(each).is_met else 1)
        children.append(child)
    let_go = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children].count(0)
    assert let_go == 2


def test_the_kernel_is_understood() -> None:
    memory = pressure._meminfo()
    assert 0 < memory["MemAvailable"] < memory["MemTotal"]
    assert 0 <= pressure._stalled() <= 100
