"""`sockwake runtime` moves an instance from an engine to crun and back, whole or not at all."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest

from cluster_servers import servers
from database import Database
from derived import derived
from instances import Make
from moment import until
from program import must, run
from soak import SOAK, only_in_soak

IN_USE, FAILED = 4, 1
BUNDLES = Path("/var/lib/sockwake/bundles")
IMAGES = Path("/var/lib/sockwake/images")
OTHER = {"crun": "engine", "engine": "crun"}


def of_version_0_1(instance: Make, *options: str) -> Database:
    """An instance as version 0.1 has left it, with a row and a comment of the administrator's."""
    database = instance("--runtime", "engine", *options)
    database.psql("create table kept as select 42 as n")
    database.asleep()
    path = database.etc / "instance.env"
    lines = [line for line in path.read_text().splitlines() if not line.startswith("RUNTIME=")]
    path.write_text("\n".join([*lines, "# a comment of mine", ""]))
    return database


def move(database: Database, to: str, status: int = 0, *texts: str) -> str:
    """Move it; what was said."""
    ran = run("sockwake", "runtime", database.name, to, timeout=180).expect(status, *texts)
    return ran.out + ran.err


def runtime_of(database: Database) -> dict[str, object]:
    (row,) = json.loads(must("sockwake", "runtime", database.name, "--json"))
    return dict(row)


def owners(database: Database) -> set[tuple[int, int]]:
    return {((at := path.lstat()).st_uid, at.st_gid) for path in database.cluster.rglob("*")}


def has_container(name: str) -> bool:
    return run("docker", "inspect", name).status == 0


def require_row(database: Database) -> None:
    assert database.psql("select n from kept") == "42"
    database.asleep()


def test_an_instance_of_0_1_moves_there_and_back_with_its_rows_and_its_owner(
    instance: Make,
) -> None:
    database = of_version_0_1(instance)
    path = database.etc / "instance.env"
    before, definition = path.read_text(), (database.etc / "compose.yaml").read_text()
    owner = owners(database)
    assert "crun can wake it, too" in str(runtime_of(database)["reason"])
    assert "removed its container in docker" in move(database, "crun")
    assert path.read_text() == before.replace("\nVERSION", "\nRUNTIME=crun\nVERSION")
    assert not has_container(database.container)
    require_row(database)
    assert not has_container(database.container) and owners(database) == owner
    facts = json.loads(must("sockwake", "status", database.name, "--json"))
    assert facts["runtime"] == database.ls()["runtime"] == "crun"
    assert (IMAGES / facts["image_digest"].removeprefix("sha256:") / "rootfs").is_dir()
    assert "already" in move(database, "crun")
    known = (database.run / "wakes").read_text()
    assert "removed its bundle" in move(database, "engine")
    assert (database.run / "wakes").read_text() == known, "a trial is no wake"
    assert path.read_text() == before.replace("\nVERSION", "\nRUNTIME=engine\nVERSION")
    assert not (BUNDLES / database.name).exists()
    require_row(database)
    assert has_container(database.container) and owners(database) == owner
    assert (database.etc / "compose.yaml").read_text() == definition
    assert runtime_of(database)["engine"] == "docker"


@pytest.mark.soak
def test_several_and_all_move_and_those_that_need_an_engine_say_why(instance: Make) -> None:
    plain = instance("--runtime", "engine")
    other = instance("--runtime", "engine", name="pg2")
    other.edit_compose('network_mode: "none"', "ports: []")
    ran = run("sockwake", "runtime", "pg1", "pg2", "crun", timeout=180)
    ran.expect(FAILED, "pg1 is woken by crun now", "pg2: crun cannot wake it: its network is")
    assert (plain.psql(), other.psql()) == ("1", "1")
    for each in (plain, other):
        each.asleep()
    ran = run("sockwake", "runtime", "--all", "engine", timeout=180)
    ran.expect(0, "pg1 is woken by docker now", "pg2 is woken by docker already")
    run("sockwake", "runtime", "--all", "crun", timeout=180).expect(0, "its network is a bridge")
    shown = {row["name"]: row for row in json.loads(must("sockwake", "runtime", "--json"))}
    assert shown["pg1"]["runtime"] == "crun" and shown["pg2"]["runtime"] == "engine"
    assert (plain.psql(), other.psql()) == ("1", "1")


def test_status_says_why_an_instance_stays_with_an_engine_also_while_none_runs(
    instance: Make,
) -> None:
    tls = instance("--tls", "--runtime", "engine")
    tls.edit_compose('network_mode: "none"', 'network_mode: "host"')
    bridge = instance("--runtime", "engine", name="pg2")
    bridge.edit_compose('network_mode: "none"', "ports: []")
    must("systemctl", "stop", "docker.service", "docker.socket")
    try:
        told = {
            each.name: json.loads(must("sockwake", "status", each.name, "--json"))
            for each in (tls, bridge)
        }
        listed = json.loads(must("sockwake", "ls", "--json"))
    finally:
        must("systemctl", "start", "docker.socket", "docker.service")
    assert told["pg1"]["runtime_reason"].startswith("with TLS its network has to be its own")
    assert told["pg2"]["runtime_reason"].startswith("its network is a bridge")
    assert {(row["runtime"], row["engine"]) for row in listed} == {("engine", "docker")}
    move(bridge, "crun", FAILED, "its network is a bridge", "docker goes on to wake it")
    assert "runtime     docker: its network is a bridge" in must("sockwake", "status", "pg2")


def test_it_refuses_while_a_client_is_connected(instance: Make) -> None:
    database = of_version_0_1(instance)
    before = (database.etc / "instance.env").read_text()
    with database.at_work() as client:
        hint = f"systemctl stop {database.backend}"
        move(database, "crun", IN_USE, "has 1 connected client", hint)
        assert client.value("select n from kept") == "42"
    assert (database.etc / "instance.env").read_text() == before
    database.asleep()


@pytest.mark.parametrize("to", ["crun", *only_in_soak("engine")])
def test_clients_that_come_meanwhile_wait_and_none_is_lost(instance: Make, to: str) -> None:
    database = instance("--runtime", OTHER[to])
    database.psql("create table kept as select 42 as n")
    database.asleep()
    mover = subprocess.Popen(["sockwake", "runtime", "pg1", to], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not (database.etc / "moving").exists() and time.monotonic() < deadline:
        assert mover.poll() is None, mover.communicate()[1]
    clients = [database.start_psql("select n from kept") for _ in range(5)]
    assert [(client.communicate(timeout=60)[0], client.returncode) for client in clients] == [
        ("42\n", 0)
    ] * 5
    assert (mover.communicate(timeout=120)[1], mover.returncode) == ("", 0)
    assert database.setting("RUNTIME") == to
    require_row(database)


def is_read(database: Database) -> str:
    """The runtime whose drop-in systemd has read; "" while a reload is writing it anew."""
    text = Path(f"/run/systemd/generator/{database.backend}.d/runtime.conf").read_text()
    return "crun" if "/container" in text else "engine" if "docker.service" in text else ""


STEPS: dict[str, Callable[[Database, str], object]] = {
    "it has begun": lambda database, to: True,
    "it says so": lambda database, to: (database.etc / "moving").exists(),
    "its line is written": lambda database, to: database.setting("RUNTIME") == to,
    "systemd has read it": lambda database, to: is_read(database) == to,
    "it is tried out": lambda database, to: database.state(database.backend) == "active",
    "it was tried out": lambda database, to: database.setting("RUNTIME") == to
    and not (database.etc / "moving").exists(),
}


SOME = [("it is tried out", "crun")]


@pytest.mark.fault
@pytest.mark.kills
@pytest.mark.parametrize("step, to", list(product(STEPS, OTHER)) if SOAK else SOME)
def test_killed_when(instance: Make, step: str, to: str) -> None:
    database = instance("--runtime", OTHER[to])
    database.psql("create table kept as select 42 as n")
    database.asleep()
    mover = subprocess.Popen(
        ["sockwake", "runtime", "pg1", to], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 120
    while mover.poll() is None:
        try:
            if STEPS[step](database, to):
                break
        except OSError:
            pass  # a reload is writing it anew
        assert time.monotonic() < deadline, "sockwake runtime never got there"
    mover.send_signal(signal.SIGKILL)
    mover.wait(60)
    require_row(database)
    move(database, to)
    assert runtime_of(database)["interrupted"] is False
    assert (runtime_of(database)["runtime"], database.setting("RUNTIME")) == (to, to)
    assert not (database.etc / "moving").exists()
    assert has_container(database.container) == (to == "engine")
    require_row(database)


@pytest.mark.fault
def test_a_server_that_does_not_start_goes_back(instance: Make) -> None:
    with derived("postgres:18", {"derived": "for one test"}) as image:
        database = of_version_0_1(instance, "--image", image)
        before = (database.etc / "instance.env").read_text()
        kept = IMAGES.parent / "images.of-the-tests"
        move(database, "crun")
        digest = str(runtime_of(database)["image_digest"]).removeprefix("sha256:")
        move(database, "engine")
        server = next((IMAGES / digest / "rootfs").rglob("bin/postgres"))
        server.rename(kept)
        server.write_text("#!/bin/sh\necho this one is broken >&2\nexit 3\n")
        server.chmod(0o755)
        try:
            move(database, "crun", FAILED, "instance 'pg1' cannot start", "this one is broken")
        finally:
            kept.rename(server)
        assert (database.etc / "instance.env").read_text() == before.replace(
            "\nVERSION", "\nRUNTIME=engine\nVERSION"
        )
        assert not (BUNDLES / database.name).exists() and has_container(database.container)
        assert "error" not in database.ls()
        require_row(database)
        move(database, "crun")
        require_row(database)
        must("sockwake", "rm", "pg1", "--purge")
        must("rm", "-r", str(IMAGES / digest))


@pytest.mark.fault
def test_a_container_that_is_not_sockwake_s_is_left_and_named(instance: Make) -> None:
    database = of_version_0_1(instance)
    move(database, "crun")
    must("docker", "create", "--name", database.container, "postgres:18")
    try:
        move(database, "engine", 3, f"there is a container {database.container} that is not of")
        assert database.setting("RUNTIME") == "crun"
        require_row(database)
        move(database, "crun")
        assert has_container(database.container)
    finally:
        must("docker", "rm", "--volumes", database.container)


@pytest.mark.fault
def test_a_container_that_was_started_by_hand_is_stopped_before(instance: Make) -> None:
    database = of_version_0_1(instance)
    must("docker", "start", database.container)
    move(database, "crun")
    require_row(database)


def edit_by_hand(database: Database, to: str) -> None:
    """Have RUNTIME= say so, and systemd read it."""
    path = database.etc / "instance.env"
    lines = [line for line in path.read_text().splitlines() if not line.startswith("RUNTIME=")]
    path.write_text("\n".join([*lines, f"RUNTIME={to}", ""]))
    must("systemctl", "daemon-reload")


@pytest.mark.fault
@pytest.mark.parametrize("moment", ["awake", *only_in_soak("asleep")])
def test_an_edit_by_hand_while_the_engine_s_server_runs_starts_no_second(
    instance: Make, moment: str
) -> None:
    """One whose watcher was killed, or that was started by hand."""
    database = of_version_0_1(instance)
    for _ in range(2):  # the second time there was a bundle before
        with database.at_work() as client:
            assert client.value("select n from kept") == "42"
            if moment == "awake":
                edit_by_hand(database, "crun")
                database.kill(database.backend)
        if moment == "awake":
            until("its server has been ended", lambda: not servers(database.cluster))
        else:
            database.put_to_sleep()
            edit_by_hand(database, "crun")
            must("docker", "start", database.container)
            until("its server is at work", lambda: servers(database.cluster))
        with database.at_work() as client:
            assert client.value("select n from kept") == "42"
            (server,) = servers(database.cluster)
            assert database.backend in Path(f"/proc/{server}/cgroup").read_text()
            assert not has_container(database.container)
        database.put_to_sleep()
        edit_by_hand(database, "engine")
    require_row(database)
    assert not (BUNDLES / database.name).exists()
