"""Who is told to have woken an instance when no client was seen."""

import socket
import time
from pathlib import Path

import pytest

from env_file import env
from sockwake.clients import connections
from sockwake.config.instance import Instance
from sockwake.config.settings import load
from sockwake.lifecycle import asker, handover, hold, holds, runtime, wakes
from sockwake.lifecycle.hold import HOURS, Hold
from tree import Tree

LEFT = "a client that has left"


@pytest.fixture
def instance(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> Instance:
    folder = tree.path / "transient"
    folder.mkdir()
    monkeypatch.setattr(holds, "_directory", lambda: str(folder))
    monkeypatch.setattr(hold, "user", lambda: "eva")
    one = tree.write_env("pg1", env())
    runtime.prepare(one)
    # with a root of its own it has no holds
    running = Instance(one.name)
    running.etc, running.run = one.etc, one.run
    return running


def write_hold(tree: Tree, number: int, who: str, since: float, reason: str = "") -> None:
    taken = Hold("pg1", number, who, since=since, tty="pts/0", reason=reason)
    text = f"[Service]\nEnvironment=SOCKWAKE_HOLD={taken.note()}\n"
    (tree.path / f"transient/{taken.unit}").write_text(text)


def told(instance: Instance, client: str = LEFT) -> str:
    return asker.of_wake(instance, load(instance), client, 0.3)


def test_a_command_is_told_by_the_name_of_its_user_and_counts_for_one_wake(
    instance: Instance,
) -> None:
    assert told(instance) == LEFT
    asker.note(instance)
    assert told(instance) == "eva with 'sockwake wake'"
    assert told(instance) == LEFT, "the next wake, before which none has kept its books"
    asker.note(instance)
    wakes.note(instance, "127.0.0.1:5", 0.3)
    assert told(instance) == LEFT
    asker.note(instance)
    asker.forget(instance)
    assert told(instance) == LEFT


def test_what_was_asked_for_long_ago_or_half_written_is_no_reason(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    asker.note(instance)
    later = wakes.now() + 3600
    monkeypatch.setattr(wakes, "now", lambda: later)
    assert told(instance) == LEFT
    Path(instance.asked_file).write_text("12.x eva")
    assert told(instance) == LEFT


def test_the_newest_hold_is_told_and_hours_are_told_as_such(tree: Tree, instance: Instance) -> None:
    now = time.time()
    write_hold(tree, 1, "root", now - 60)
    assert told(instance) == "the hold of root (pts/0)"
    write_hold(tree, 2, "eva", now, "backup")
    assert told(instance) == "the hold of eva (pts/0): backup"
    write_hold(tree, 3, HOURS, now + 60)
    assert told(instance) == "its hours (KEEP=)"


def test_a_local_client_that_is_there_has_woken_it(
    tree: Tree, instance: Instance, tmp_path: Path
) -> None:
    path = str(tmp_path / "s")
    Path(instance.env_file).write_text(env(LISTEN=path))
    asker.note(instance)
    assert told(instance, connections.UNSEEN[0]) == "eva with 'sockwake wake'"
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(path)
        server.listen()
        client.connect(path)
        assert told(instance, connections.UNSEEN[0]) == "a local client"


def test_what_was_asked_for_is_no_client_that_comes_too_often() -> None:
    for who in ("eva with 'sockwake wake'", "the hold of eva (pts/0): backup", wakes.BY_HOURS):
        every = [wakes.Wake(100.0 + number, 1.0, who) for number in range(9)]
        assert wakes.flapping_client(every) is None
    assert wakes.flapping_client([wakes.Wake(100.0, 1.0, "10.0.0.7:5")] * 9) == "10.0.0.7"


def test_a_start_is_wanted_by_a_hold_and_by_a_command_that_is_not_long_ago(
    tree: Tree, instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load(instance)
    assert asker.waits(instance, settings) == ""
    asker.note(instance)
    assert asker.waits(instance, settings) == LEFT
    now = wakes.now()
    monkeypatch.setattr(wakes, "now", lambda: now + settings.start_timeout + 61)
    assert asker.waits(instance, settings) == ""
    Path(instance.asked_file).write_text("half")
    assert asker.waits(instance, settings) == ""
    write_hold(tree, 1, "anna", 1000)
    assert handover.asked_or_turned_away(instance, settings, -1) == LEFT
