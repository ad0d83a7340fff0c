"""What follows a wake that has succeeded can fail only into the journal."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from env_file import env
from env_file import settings as read
from sockwake.clients import allowlist
from sockwake.config import settings
from sockwake.config.instance import Instance
from sockwake.errors import SockwakeError
from sockwake.lifecycle import check_timer, monitor, runtime
from sockwake.lifecycle.main_process import Ended
from sockwake.lifecycle.monitor import ClientMonitor, ClosedConnections, Orders
from sockwake.service import program, waker
from sockwake.service.waker import Stopwatch
from sockwake.system import files, journal, sdnotify
from tree import Tree

STEPS: dict[str, tuple[object, str]] = {
    "the timer": (check_timer, "start"),
    "dropped packets": (allowlist, "note_dropped"),
    "the status": (sdnotify, "notify"),
    "the journal": (journal, "say"),
}


def full(*_: object) -> NoReturn:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither systemd nor ss is asked for anything."""
    for step in ("the timer", "dropped packets"):
        monkeypatch.setattr(*STEPS[step], lambda *_: None)


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("step", STEPS)
def test_a_waker_s(
    tree: Tree, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], step: str
) -> None:
    instance = tree.write_env("pg1", env())
    runtime.prepare(instance)
    monkeypatch.setattr(*STEPS[step], full)
    waker.keep_books(instance, settings.load(instance), "a client", Stopwatch())
    assert ("no space left on device" in capfd.readouterr().out) == (step != "the journal")


@pytest.mark.usefixtures("quiet")
def test_a_full_run_directory_after_the_ready_file(
    tree: Tree, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    instance = tree.write_env("pg1", env())
    runtime.prepare(instance)
    monkeypatch.setattr(files, "replace_volatile", full)
    waker.keep_books(instance, settings.load(instance), "a client", Stopwatch())
    assert "woken by a client" in capfd.readouterr().out


def test_a_full_run_directory_behind_a_start_that_failed(
    tree: Tree, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """What has failed is cleaned up behind it, and history has it all the same."""
    instance = tree.write_env("pg1", env())
    runtime.prepare(instance)
    events: list[str] = []
    monkeypatch.setattr(files, "replace_volatile", full)
    monkeypatch.setattr(journal, "record", lambda *words, **_: events.append(words[0]))
    runtime.leave_failure(instance, SockwakeError("it ended", "look there", said="no room"))
    assert capfd.readouterr().out.count("no space left on device") == 3
    assert events == ["failure"]


@pytest.fixture
def native(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Await a program that takes its clients itself; it is this process."""
    instance = tree.write_env(
        "own", "KIND=native\nLISTEN=127.0.0.1\nPORT=25432\nIDLE=1s\nREADY=start\nCHECK=builtin\n"
    )
    Path(instance.service_file).write_text("")
    for key, value in (
        ("INVOCATION_ID", "1"),
        ("MAINPID", str(os.getpid())),
        ("SOCKWAKE_TAKES_SOCKET", "yes"),
    ):
        monkeypatch.setenv(key, value)
    monkeypatch.setattr(program, "_monitor_clients", lambda *_: None)
    return lambda: program.await_ready(instance)


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize(
    ("module", "step"),
    [*STEPS.values(), (files, "replace_volatile"), (runtime, "prepare")],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_program_s(
    native: Callable[[], None], monkeypatch: pytest.MonkeyPatch, module: object, step: str
) -> None:
    monkeypatch.setattr(module, step, full)
    native()


def test_a_program_that_has_ended_before_it_was_looked_at_leaves_that_to_the_clean_up(
    native: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MAINPID")
    with pytest.raises(Ended):
        native()


def test_a_monitor_s_note(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    instance = tree.write_env("pg1", env())
    reader, writer = os.pipe()
    ClosedConnections(instance, reader, 8)  # there is no directory for it
    runtime.prepare(instance)
    closed = ClosedConnections(instance, reader, 8)
    monkeypatch.setattr(os, "pwrite", full)
    closed._note_client()
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize(
    ("kind", "number"), [({}, 2), ({"KIND": "container", "READY": "http:/"}, 15)]
)
def test_which_signal_ends_its_server_is_known_from_the_start(
    kind: dict[str, str], number: int
) -> None:
    """By the end instance.env may be broken: it is read only once."""
    assert waker.stop_signal(read(env(**kind))) == number


def test_a_monitor_sees_to_it_that_the_timer_is_there(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[tuple[Instance, float]] = []
    monkeypatch.setattr(monitor, "_TIMER_COMES_WITHIN", 0.1)
    monkeypatch.setattr(check_timer, "keep", lambda instance, every: kept.append((instance, every)))
    instance = tree.write_env("pg1", env())
    reader, writer = os.pipe()
    one = ClientMonitor(instance, Orders(check_every=0.1))
    pid = os.fork()
    if not pid:
        import time

        time.sleep(0.5)
        os.write(writer, b"x")
        os._exit(0)
    one.wait(reader)
    os.waitpid(pid, 0)
    assert kept == [(instance, 0.1)], "once, and then after ten minutes"


@pytest.mark.parametrize(("fails", "asked"), [(0, 1), (1, 2)])
def test_a_timer_that_could_not_be_made_is_asked_for_again(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: int, asked: int
) -> None:
    """systemctl knows of none, and systemd-run fails so often."""
    folder = tmp_path / "bin"
    folder.mkdir()
    counts = f"echo x >>{tmp_path}/asked; [ $(wc -l <{tmp_path}/asked) -gt {fails} ]"
    for name, body in (
        ("systemd-run", counts),
        ("systemctl", "[ $2 = show ] && echo 0"),
        ("sleep", ":"),
    ):
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    instance = tree.write_env("pg1", env())
    check_timer.start(instance, settings.load(instance), wait=True)
    assert (tmp_path / "asked").read_text().count("x") == asked
