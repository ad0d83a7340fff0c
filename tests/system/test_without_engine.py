"""An instance that crun wakes has nothing to do with the engine, whatever becomes of that.

Docker is stopped, restarted, upgraded, killed and uninstalled, each at every moment of an instance.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from client import Client
from database import Database
from instances import Make
from moment import until
from program import must, run
from soak import only_in_soak

pytestmark = pytest.mark.fault

RESTARTS = 20
SOCKET, DOCKER, CONTAINERD = "docker.socket", "docker.service", "containerd.service"
ENGINE = (SOCKET, DOCKER, CONTAINERD)
PACKAGES = ("docker.io", "containerd", "runc")
_DOWN = ("inactive", "failed")


def engine(verb: str, *units: str) -> None:
    must("systemctl", verb, *units, timeout=120)


def engine_answers() -> None:
    run("systemctl", "reset-failed", *ENGINE)
    engine("start", *ENGINE)
    until("the engine answers", lambda: run("docker", "ps").status == 0)


@contextmanager
def stopped() -> Iterator[None]:
    engine("stop", *ENGINE)
    yield


@contextmanager
def restarted() -> Iterator[None]:
    run("systemctl", "reset-failed", *ENGINE)
    engine("restart", *ENGINE)
    yield


@contextmanager
def upgraded() -> Iterator[None]:
    """What dpkg and the maintainer scripts do: another file in its place, then a restart."""
    for name in ("dockerd", "containerd"):
        program = Path(shutil.which(name) or "")
        new = program.with_name(f"{name}.dpkg-new")
        shutil.copy2(program, new)
        os.replace(new, program)
    engine("daemon-reload")
    run("systemctl", "reset-failed", *ENGINE)
    engine("restart", *ENGINE)
    yield


@contextmanager
def killed() -> Iterator[None]:
    engine("kill", "--signal=KILL", DOCKER, CONTAINERD)
    yield


@contextmanager
def uninstalled() -> Iterator[None]:
    """What `apt-get remove` leaves of it: neither programs nor units; then all is put back."""
    listed = must("dpkg", "--listfiles", *PACKAGES).splitlines()
    theirs = [
        path
        for path in {Path(line).resolve() for line in listed if line}
        if path.is_file() and path.parts[-2] in ("bin", "sbin", "system")
    ]
    assert {"dockerd", "containerd", "runc", DOCKER, SOCKET} <= {path.name for path in theirs}
    engine("stop", *ENGINE)
    away = {path: path.with_name(f".{path.name}.away") for path in theirs}
    for path, other in away.items():
        path.rename(other)
    try:
        engine("daemon-reload")
        Path("/run/docker.sock").unlink(missing_ok=True)
        yield
    finally:
        for path, other in away.items():
            other.rename(path)
        engine("daemon-reload")


Deed = Callable[[], AbstractContextManager[None]]


@pytest.fixture
def without_engine(listening_before: set[int]) -> Iterator[None]:
    yield
    engine_answers()
    # containerd has another port after each start
    shown = must("ss", "-Hltnp").splitlines()
    theirs = [line.split()[3] for line in shown if '"containerd"' in line]
    listening_before |= {int(address.rpartition(":")[2]) for address in theirs}


def tells(database: Database, state: str) -> None:
    until(f"ls calls it {state}", lambda: database.ls()["state"] == state)
    assert f"{database.name} is {state}" in must("sockwake", "status", database.name)


def while_asleep(database: Database, deed: Deed) -> None:
    with deed():
        tells(database, "asleep")
        assert database.psql() == "1"
        database.asleep()


def while_waking(database: Database, deed: Deed) -> None:
    client = database.start_psql()
    with deed():
        assert client.communicate(timeout=60)[0] == "1\n"
        assert database.psql() == "1"
        database.asleep()


def while_a_client_is_served(database: Database, deed: Deed) -> None:
    session = database.at_work()
    served_by = database.main_pid(database.backend)
    with deed():
        assert session.query("select 1") == [["1"]]
        tells(database, "awake")
        assert database.psql() == "1"
        assert database.main_pid(database.backend) == served_by
        session.close()
        database.asleep()


def while_no_client_is_left(database: Database, deed: Deed) -> None:
    assert database.psql() == "1"
    with deed():
        database.asleep()
        tells(database, "asleep")
        assert database.psql() == "1"
        database.asleep()


def while_falling_asleep(database: Database, deed: Deed) -> None:
    session: Client = database.connect()
    must("systemctl", "stop", "--no-block", database.backend)
    with deed():
        session.vanish()
        until("it has ended", lambda: database.state(database.backend) in _DOWN)
        assert database.psql() == "1"
        database.asleep()


MOMENTS = (
    while_asleep,
    while_waking,
    while_a_client_is_served,
    while_no_client_is_left,
    while_falling_asleep,
)


@pytest.mark.parametrize("deed", [uninstalled, *only_in_soak(upgraded, stopped, restarted, killed)])
def test_sessions_go_on_and_clients_are_served_whatever_becomes_of_the_engine(
    instance: Make, without_engine: None, deed: Deed
) -> None:
    database = instance("--check-every", "1s")
    for moment in MOMENTS:
        moment(database, deed)
        engine_answers()
    said = database.journal()
    assert "not properly shut down" not in said and "the last wake failed" not in said
    assert not must("docker", "ps", "--all", "--quiet", "--filter=name=sockwake-")


def test_the_engine_s_socket_starts_it_for_nothing_that_the_instance_does(
    instance: Make, without_engine: None
) -> None:
    database = instance("--check-every", "1s")
    engine("stop", DOCKER)
    assert database.state(SOCKET) == "active"
    for _ in range(2):
        tells(database, "asleep")
        assert database.psql() == "1"
        must("systemctl", "start", database.look)
        must("sockwake", "ls", "--json")
        database.asleep()
        must("systemctl", "start", database.look)
    assert database.state(DOCKER) == "inactive"


def test_it_is_not_ordered_behind_the_engine(instance: Make) -> None:
    database = instance()
    for unit in (database.backend, database.proxy, database.socket):
        listed = must("systemctl", "list-dependencies", "--all", "--plain", "--after", unit)
        assert not {DOCKER, "podman.service", CONTAINERD} & set(listed.split())


@pytest.mark.soak
def test_no_wake_fails_while_the_engine_is_restarted(instance: Make, without_engine: None) -> None:
    database = instance("--check-every", "1s")
    database.asleep()
    woken = 0
    with ThreadPoolExecutor(1) as pool:
        restarts = pool.submit(restart_again_and_again)
        while not restarts.done():
            assert database.psql() == "1"
            must("systemctl", "stop", database.proxy, database.backend)
            woken += 1
        restarts.result()
    print(f"{woken} wakes, none failed, over {RESTARTS} restarts of the engine")
    assert woken >= RESTARTS / 2, "the aim is bad"


def restart_again_and_again() -> None:
    for _ in range(RESTARTS):
        run("systemctl", "reset-failed", *ENGINE)
        engine("restart", DOCKER)
