"""What starts an instance again that is held and has failed."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from env_file import env
from sockwake.config.instance import Instance
from sockwake.config.settings import load
from sockwake.errors import SockwakeError
from sockwake.lifecycle import holds, runtime, waking
from sockwake.lifecycle.hold import Hold
from sockwake.service import held
from tree import Tree


@pytest.fixture
def instance(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> Instance:
    made = tree.write_env("pg1", env())
    runtime.prepare(made)
    monkeypatch.setattr(time, "sleep", lambda _: None)
    return made


def is_held(monkeypatch: pytest.MonkeyPatch, *looks: bool) -> None:
    """Whether it is, at each look; the last is for ever."""
    said: Iterator[bool] = iter(looks)
    taken = [Hold("pg1", 7, "anna", since=1000.0)]
    monkeypatch.setattr(holds, "holds", lambda _: taken if next(said, looks[-1]) else [])
    monkeypatch.setattr(holds, "is_held", lambda _: next(said, looks[-1]))


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The units that were started; each is ready then."""
    units: list[str] = []

    def wake(instance: Instance, unit: str) -> None:
        units.append(unit)
        with open(instance.ready_file, "w", encoding="utf-8"):
            pass

    monkeypatch.setattr(waking, "wake", wake)
    return units


def test_one_that_is_held_is_started_by_its_hold(
    instance: Instance, started: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    is_held(monkeypatch, True)
    held.start_again(instance)
    assert started == ["pg-keep@pg1:7.service"]


def test_what_needs_no_start_is_left_alone(
    instance: Instance, started: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    is_held(monkeypatch, False)
    held.start_again(instance)
    runtime.announce_ready(instance, load(instance))
    is_held(monkeypatch, True)
    held.start_again(instance)
    assert started == []


def test_one_that_soon_fails_again_is_an_error(
    instance: Instance, started: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    is_held(monkeypatch, True)

    def fail(_: float) -> None:
        if started:
            runtime.withdraw_ready(instance)
            runtime.leave_failure(instance, SockwakeError("its disk is away"))

    monkeypatch.setattr(time, "sleep", fail)
    with pytest.raises(SockwakeError, match="its disk is away"):
        held.start_again(instance)


def test_one_whose_hold_ends_meanwhile_is_no_error(
    instance: Instance, started: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    is_held(monkeypatch, True, False)
    held.start_again(instance)
    assert len(started) == 1
