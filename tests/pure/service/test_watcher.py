"""The watcher stops its container in bounded time, whatever the engine does."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from daemon import Daemon
from env_file import env
from sockwake.config.instance import Instance
from sockwake.engine.api import Engine, EngineError
from sockwake.engine.container import Container
from sockwake.lifecycle import runtime
from sockwake.lifecycle.monitor import ClientMonitor, Orders
from sockwake.service import watcher
from sockwake.service.watcher import Watcher
from tree import Tree

INSPECT = "GET /containers/sockwake-pg1/json"
STOP = "POST /containers/sockwake-pg1/stop"
MESSAGE = "the container engine has not stopped its container within 1.2 s"


@pytest.fixture
def instance(tree: Tree) -> Instance:
    one = tree.write_env("pg1", env())
    runtime.prepare(one)
    return one


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch, daemon: Daemon) -> None:
    """The container may take a second to stop, the engine a moment more."""
    monkeypatch.setattr("sockwake.engine.container._MARGIN", 0.2)
    monkeypatch.setattr("sockwake.engine.container._LAST_WORDS", 0.3)
    monkeypatch.setattr(watcher, "_LAST_WORDS", 0.3)
    monkeypatch.setattr(Watcher, "_catch_the_end", lambda _: None)
    daemon.answers[INSPECT] = 200, b'{"StopTimeout":1}'


def watch(instance: Instance, daemon: Daemon, output: int, server: int = -1) -> Watcher:
    container = Container(instance.container, Engine(str(daemon.server_address)), output)
    monitor = ClientMonitor(instance, Orders())
    return Watcher(instance, container, server, signal.SIGTERM, monitor)


@pytest.mark.usefixtures("patience")
@pytest.mark.parametrize("talks", [False, True], ids=["silent", "talking"])
def test_an_engine_that_never_stops_it_is_not_waited_for_without_end(
    instance: Instance, daemon: Daemon, talks: bool
) -> None:
    """A container that goes on writing keeps the watcher busy, and no longer."""
    daemon.mute.add(STOP)
    reader, writer = os.pipe()
    words = "while printf '\\1\\0\\0\\0\\0\\0\\0\\2x\\n'; do sleep 0.01; done"
    with subprocess.Popen(["sh", "-c", words if talks else "sleep 60"], stdout=writer) as talker:
        try:
            began = time.monotonic()
            with pytest.raises(EngineError, match=MESSAGE):
                watch(instance, daemon, reader)._stop_container()
            assert time.monotonic() - began < 5
        finally:
            talker.kill()
    os.close(writer)


@pytest.mark.usefixtures("patience")
def test_a_server_that_its_engine_does_not_stop_is_stopped_by_the_watcher(
    instance: Instance, daemon: Daemon, tmp_path: Path
) -> None:
    daemon.mute.add(STOP)
    reader, writer = os.pipe()
    with subprocess.Popen(["sleep", "60"]) as server:
        one = watch(instance, daemon, reader, os.pidfd_open(server.pid))
        one.stopping = True
        with pytest.raises(EngineError, match=MESSAGE):
            one.run()
        assert server.wait(5) == -signal.SIGTERM
    os.close(writer)


@pytest.mark.usefixtures("patience")
def test_output_that_outlives_its_container_is_not_waited_for_without_end(
    instance: Instance, daemon: Daemon
) -> None:
    daemon.answers[STOP] = 204, b""
    reader, writer = os.pipe()
    one = watch(instance, daemon, reader)
    one.stopping = True
    began = time.monotonic()
    one.run()
    assert time.monotonic() - began < 5
    os.close(writer)
