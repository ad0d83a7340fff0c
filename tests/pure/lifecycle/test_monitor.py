"""What the monitor of an awake instance waits for, and when it starts a check."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from env_file import env
from sockwake.config.instance import Instance, Name
from sockwake.config.settings import Settings
from sockwake.lifecycle import runtime
from sockwake.lifecycle.monitor import ClientMonitor, ClosedConnections, Orders, readable
from tree import Tree


@pytest.fixture
def looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """What systemctl has been asked for."""
    asked = tmp_path / "asked"
    program = tmp_path / "bin/systemctl"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >>{asked}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return lambda: asked.read_text().splitlines() if asked.exists() else []


def watched_for(
    monitor: ClientMonitor, seconds: float, meanwhile: Callable[[], object] = lambda: None
) -> None:
    """Let it look after its instance for so long."""
    reader, writer = os.pipe()
    ender = threading.Timer(seconds, os.write, [writer, b"x"])
    ender.start()
    threading.Thread(target=meanwhile).start()
    assert monitor.wait(reader) == {reader}
    ender.join()
    os.close(reader)
    os.close(writer)


def test_what_can_be_read_or_has_ended_is_told_and_what_is_closed_is_passed_over() -> None:
    (quiet, silent), (full, writer), (ended, gone) = os.pipe(), os.pipe(), os.pipe()
    os.write(writer, b"x")
    os.close(gone)
    assert readable(quiet, full, ended, -1) == {full, ended}
    assert readable(quiet, timeout=0) == set()
    for fd in (quiet, silent, full, writer, ended):
        os.close(fd)


@pytest.mark.parametrize("timeout", [30 * 86400, 10**9, float("inf")])
def test_an_idle_time_of_months_or_for_ever_is_no_error(timeout: float) -> None:
    reader, writer = os.pipe()
    os.write(writer, b"x")
    assert readable(reader, timeout=timeout) == {reader}
    os.close(reader)
    os.close(writer)


def test_it_has_the_check_look_time_and_again(tree: Tree, looks: Callable[[], list[str]]) -> None:
    watched_for(ClientMonitor(tree.write_env("pg1", env()), Orders(look_every=0.1)), 1)
    assert len(looks()) > 1
    assert set(looks()) == {"--no-block start pg-check@pg1.service"}


def test_what_has_a_check_of_its_own_is_left_to_that(
    tree: Tree, looks: Callable[[], list[str]]
) -> None:
    watched_for(ClientMonitor(tree.write_env("pg1", env()), Orders()), 0.3)
    assert looks() == []


@pytest.mark.parametrize("spoke", [True, False])
def test_only_a_connection_that_sent_something_puts_a_look_off(
    tree: Tree, looks: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch, spoke: bool
) -> None:
    instance = tree.write_env("pg1", env())
    runtime.prepare(instance)
    events, kernel = os.pipe()
    monkeypatch.setattr(
        ClosedConnections, "read_events", lambda closed: bool(os.read(closed.fd, 1)) and spoke
    )

    def come_and_go() -> None:
        for _ in range(8):
            time.sleep(0.1)
            os.write(kernel, b"x")

    watched_for(ClientMonitor(instance, Orders(look_every=0.6, events_fd=events)), 0.9, come_and_go)
    assert bool(looks()) != spoke


@pytest.mark.parametrize(
    ("changed", "every"),
    [
        ({"CHECK": "none"}, "182"),
        ({}, "0"),
        ({"CHECK": "none", "IDLE": "infinity"}, "0"),
        ({"CHECK": "/bin/true"}, "0"),
    ],
)
def test_without_a_check_it_looks_a_little_after_the_proxy_would_have_left(
    changed: dict[str, str], every: str
) -> None:
    read = Settings(env(LISTEN="/run/s", **changed), Instance(Name("pg1")))
    orders = Orders.of(read)
    assert orders.to_argv() == [every, "-1", "8", "30.000" if read.has_check else "0.000"]
    assert orders.has_work == (read.has_check or every != "0")


@pytest.mark.parametrize(
    ("orders", "has_work"),
    [
        (Orders(), False),
        (Orders(look_every=182), True),
        (Orders(events_fd=0, goodbye=18), True),
        (Orders(check_every=0.5), True),
    ],
)
def test_orders_reach_the_program_that_carries_them_out(orders: Orders, has_work: bool) -> None:
    read = Orders.from_argv(orders.to_argv())
    assert orders.has_work == read.has_work == has_work
    for each in Orders.__slots__:
        assert getattr(read, each) == getattr(orders, each)


def test_a_systemctl_that_cannot_be_run_is_said_and_no_end(
    tree: Tree, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    watched_for(ClientMonitor(tree.write_env("pg1", env()), Orders(look_every=0.2)), 0.3)
    assert set(capfd.readouterr().out.splitlines()) == {"sockwake: systemctl is not installed"}
