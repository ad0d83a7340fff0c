"""Instances change: keys, limits, names and copies; clients are cut only by --force."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from account import MakeOwn, Own
from client import Lost, Refused
from database import Database
from host_postgres import version_for
from instances import Know, Make
from moment import until
from program import Ran, must, run, start
from soak import only_in_soak

FAILED, IN_USE, PENDING = 1, 4, 6
DATA = Path("/var/lib/sockwake")
CONTROLLERS = Path("/sys/fs/cgroup/cgroup.controllers")


def sockwake(*words: str, status: int = 0) -> Ran:
    return run("sockwake", *words, timeout=180).expect(status)


def set_keys(database: Database, *words: str, status: int = 0) -> Ran:
    return sockwake("set", database.name, *words, status=status)


def test_a_key_takes_effect_now_or_at_the_next_wake_and_no_client_is_cut(instance: Make) -> None:
    database = instance("--port", "25501")
    client = database.at_work()
    assert "IDLE at the next wake" in set_keys(database, "IDLE=2s").out
    refused = set_keys(database, "PORT=25502", status=IN_USE)
    assert "1 connected client, which a new opening of its port would cut" in refused.err
    assert database.port == 25501 and client.value("select 1") == "1"
    said = set_keys(database, "PORT=25502", "--force").out
    assert "-PORT=25501\n+PORT=25502\n" in said and "PORT now, which cut 1" in said
    with pytest.raises(Lost):
        client.value("select 1")
    client.close()
    assert database.psql() == "1"
    assert run("pg_isready", "-h", "127.0.0.1", "-p", "25501").status == 2
    database.asleep()


def test_apply_does_what_is_to_do_and_only_that(instance: Make) -> None:
    database = instance("--port", "25501")
    sockwake("apply", "--check", "pg1")
    before = database.property(database.socket, "InvocationID")
    assert sockwake("apply").out == "pg1 is as its files say.\n"
    database.set("IDLE", "2s")
    assert "its bundle has to be made anew" in sockwake("apply", "--check", status=PENDING).out
    sockwake("apply", "pg1")
    assert database.property(database.socket, "InvocationID") == before, "the port stayed open"
    sockwake("apply", "--check")
    database.set("PORT", "25502")
    said = sockwake("apply", "--check", status=PENDING).out
    assert "systemd has to read its units anew; its port has to be opened anew" in said
    must("systemctl", "daemon-reload")  # by the tool that has changed it
    assert "its port has to be opened anew" in sockwake("apply", "--check", status=PENDING).out
    sockwake("apply")
    assert database.psql() == "1"
    database.asleep()
    sockwake("apply", "--check")
    must("systemctl", "disable", "--now", database.socket)
    database.set("PORT", "25503")
    assert "its port is closed" in sockwake("apply").out
    assert database.state(database.socket) == "inactive"
    database.edit("instance.env", "IDLE=2s", "IDLE=often")
    assert "'often' is not a time span" in sockwake("apply", "--check", status=FAILED).err
    set_keys(database, "IDLE=2s")


def test_files_of_a_configuration_tool_become_an_instance(instance: Make, known: Know) -> None:
    model = instance(enable=False)
    other = known("pg2")
    other.etc.mkdir()
    for name in ("instance.env", "compose.yaml"):
        text = (model.etc / name).read_text()
        (other.etc / name).write_text(text.replace(f"PORT={model.port}", "PORT=25510"))
    said = sockwake("apply", "--check", "pg2", status=PENDING).out
    assert "its data are to be made" in said
    assert "its bundle was made; its port is closed" in sockwake("apply", "pg2").out
    sockwake("apply", "--check", "pg2")
    other.open()
    assert other.psql() == "1"
    other.asleep()
    sockwake("apply", "--check", "pg2")


def test_a_definition_that_cannot_be_is_not_taken(instance: Make) -> None:
    database = instance()
    before = (database.etc / "compose.yaml").read_text()
    for editor, said in (
        ("sed -i s/services:/servicez:/", "servicez"),
        ("sed -i s/none/bridge/", "crun cannot wake it"),
    ):
        ran = run("sockwake", "edit", "--compose", "pg1", env={"VISUAL": editor})
        ran.expect(FAILED, said, "your version is kept in ")
        Path(ran.err.rpartition("kept in ")[2].strip().rstrip(")")).unlink()
        assert (database.etc / "compose.yaml").read_text() == before
    run("sockwake", "edit", "--compose", "pg1", env={"VISUAL": "sed -i s/256mb/300mb/"}).expect(0)
    assert database.psql() == "1"
    database.asleep()


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[Path]:
    """A file with a line for each call of systemctl, which is another program meanwhile."""
    calls, program = tmp_path / "calls", Path("/usr/local/sbin/systemctl")
    program.write_text(f'#!/bin/sh\necho "$@" >>{calls}\nexec /usr/bin/systemctl "$@"\n')
    program.chmod(0o755)
    yield calls
    program.unlink()


def test_apply_of_everything_asks_systemd_once(machine: None, asked: Path) -> None:
    env = "KIND=command\nLISTEN=127.0.0.1\nPORT={}\nIDLE=3min\nBACKEND_PORT=80\n"
    for number in range(20):
        folder = Path(f"/etc/sockwake/many{number}")
        folder.mkdir(parents=True)
        (folder / "instance.env").write_text(env.format(25600 + number))
        (folder / "service.conf").write_text("[Service]\nExecStart=/bin/true\n")
    try:
        must("systemctl", "daemon-reload")
        asked.unlink(missing_ok=True)
        sockwake("apply", "--check")
        assert len(sockwake("apply", "many*").out.splitlines()) == 20
        assert len(asked.read_text().splitlines()) == 2, asked.read_text()
        env_file = Path("/etc/sockwake/many7/instance.env")
        env_file.write_text(env.format(25700))
        said = sockwake("apply", "--check", status=PENDING).out
        assert said == "many7: systemd has to read its units anew.\n"
        assert "applied many7; systemd has read its units" in sockwake("apply").out
        sockwake("apply", "--check")
    finally:
        run("sockwake", "rm", "many*", timeout=120).expect(0)


LIMITS = ("--memory", "300M", "--cpus", "0.5", "--pids", "60", "--max-clients", "3")


def test_limits_are_systemd_s_and_the_proxy_s(instance: Make) -> None:
    database = instance(*LIMITS)
    assert {
        name: database.property(database.backend, name)
        for name in ("MemoryMax", "MemorySwapMax", "CPUQuotaPerSecUSec", "TasksMax")
    } == {
        "MemoryMax": "314572800",
        "MemorySwapMax": "314572800",
        "CPUQuotaPerSecUSec": "500ms",
        "TasksMax": "60",
    }
    clients = [database.connect() for _ in range(3)]
    ran = database.try_psql()
    assert ran.status == 2 and "closed the connection unexpectedly" in ran.err
    assert "Hit connection limit" in must("journalctl", "-u", database.proxy, "-o", "cat")
    clients.pop().close()
    until("there is room again", lambda: database.try_psql().status == 0)
    for client in clients:
        client.close()
    database.asleep()


@pytest.mark.skipif(
    not CONTROLLERS.exists() or "memory" not in CONTROLLERS.read_text().split(),
    reason="this machine has no controllers",
)
@pytest.mark.kills
def test_a_limit_bites(instance: Make) -> None:
    database = instance("--memory", "100M", "--pids", "40")
    ran = database.try_psql(
        "select length(string_agg(repeat('x', 1000000), '')) from generate_series(1, 400)"
    )
    assert ran.status != 0
    until("it has recovered", lambda: database.try_psql().status == 0)
    clients = []
    with pytest.raises((Lost, OSError, Refused)):
        clients += [database.connect() for _ in range(60)]
    for client in clients:
        client.close()


@pytest.mark.soak
@pytest.mark.engine
def test_an_engine_is_told_of_limits(instance: Make) -> None:
    can_count = CONTROLLERS.exists() and "cpu" in CONTROLLERS.read_text().split()
    database = instance(*(LIMITS if can_count else ("--memory", "300M", "--pids", "60")))
    said = must("sockwake", "compose", database.name, "--", "config")
    assert "memory" not in said, "the administrator's file stays as it is"
    database.edit_compose("    restart:", "    mem_limit: 1g\n    restart:")
    assert database.psql() == "1"
    (shown,) = json.loads(must("docker", "inspect", database.container))
    host = shown["HostConfig"]
    if can_count:
        assert (host["Memory"], host["NanoCpus"], host["PidsLimit"]) == (314572800, 500000000, 60)
    database.asleep()


RUNTIMES = pytest.mark.parametrize("runtime", ["crun", *only_in_soak("engine", "host")])


@RUNTIMES
def test_another_name_and_a_copy(instance: Make, known: Know, runtime: str) -> None:
    version = version_for(runtime)
    database = instance("--runtime", runtime, "--port", "25501", version=version)
    renamed, copy = known("shop"), known("pg2")
    database.psql("create table kept as select 42 as n")
    with database.at_work():
        refused = sockwake("rename", "pg1", "shop", status=IN_USE)
        assert "instance 'pg1' is awake" in refused.err and "sockwake sleep pg1" in refused.err
        sockwake("copy", "pg1", "pg2", status=IN_USE)
    database.asleep()
    password = database.password
    assert sockwake("rename", "pg1", "shop").out == "pg1 is shop now.\n"
    assert (renamed.port, renamed.password) == (25501, password)
    assert renamed.psql("select n from kept") == "42"
    assert not database.etc.exists() and not (DATA / "pg1").exists()
    renamed.asleep()
    said = sockwake("copy", "shop", "pg2", "--port", "25502").out
    assert "it has a password of its own" in said
    assert copy.password != password and copy.state(copy.socket) == "inactive"
    copy.open()
    assert copy.psql("select n from kept") == "42"
    copy.psql("update kept set n = 1")
    assert renamed.psql("select n from kept") == "42" and renamed.password == password
    own = copy.password
    copy.password = password
    assert "password authentication failed" in copy.fatal()
    copy.password = own
    for each in (renamed, copy):
        each.asleep()
    sockwake("apply", "--check")


def test_a_client_that_comes_during_a_copy_is_served_behind_it(instance: Make, known: Know) -> None:
    database = instance()
    known("pg2")
    database.psql("create table kept as select 42 as n")
    database.asleep()
    with open(database.data / "big", "wb") as file:
        file.writelines(os.urandom(1 << 20) for _ in range(200))
    copying = start("sockwake", "copy", "pg1", "pg2")
    until("the copy has begun", lambda: (DATA / "pg2/big").exists(), 20)
    assert database.psql("select n from kept") == "42"
    assert copying.wait(120) == 0
    database.asleep()


@pytest.mark.soak
def test_a_copy_that_cannot_have_its_own_password_leaves_nothing(
    instance: Make, known: Know
) -> None:
    database = instance()
    copy = known("pg2")
    database.psql("alter role postgres password 'other'")
    database.asleep()
    refused = sockwake("copy", "pg1", "pg2", status=FAILED)
    assert "the superuser's password could not be changed in 'pg2'" in refused.err
    assert not copy.etc.exists() and not (DATA / "pg2").exists()
    assert "it has the same password" in sockwake("copy", "pg1", "pg2", "--keep-password").out
    copy.password = "other"
    copy.open()
    assert copy.psql() == "1"
    copy.asleep()


@pytest.mark.soak
def test_a_user_s_own_instances_change_alike(user_database: Own, own: MakeOwn) -> None:
    account = user_database.account
    said = account.must("sockwake", "set", "--user", "mine", "IDLE=2s", "MAX_CLIENTS=9")
    assert "IDLE and MAX_CLIENTS at the next wake" in said
    assert account.must("sockwake", "apply", "--user", "--check") == ""
    assert user_database.answer("create table kept as select 42 as n") == "SELECT 1"
    user_database.asleep()
    copied = account.must("sockwake", "copy", "--user", "mine", "other")
    try:
        assert "it has a password of its own" in copied
        account.must("systemctl", "--user", "start", "pg-proxy@other.socket")
        other = Own(account, "other")
        assert other.answer("select n from kept") == "42"
        other.asleep()
        account.must("systemctl", "--user", "stop", "pg-proxy@other.socket")
        assert account.must("sockwake", "rename", "--user", "other", "third") == (
            "other is third now.\n"
        )
    finally:
        for name in ("other", "third"):
            account.run("sockwake", "rm", "--user", "--purge", name)
