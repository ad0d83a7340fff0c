"""wake, sleep, keep and release: the daily life with instances of every kind."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from account import Account, Own
from database import Database
from held import holds, hours_without_data, in_seconds, is_awake, was_woken_by
from host_postgres import version_for
from instances import Make, MakeSleeper
from moment import until, until_gone
from program import must, run, start
from service import Service
from soak import only_in_soak
from wakefulness import LONG

IN_USE, ASLEEP = 4, 3


def stays_awake(service: Service, seconds: float = LONG) -> None:
    """Assert that its backend runs on for so many seconds."""
    backend = service.property(service.backend, "InvocationID")
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert is_awake(service), service.journal()
        time.sleep(0.2)
    assert service.property(service.backend, "InvocationID") == backend


@pytest.fixture
def database(instance: Make) -> Database:
    return instance()


@pytest.mark.parametrize(
    "kind", ["postgres", *only_in_soak("native", "engine", "host", "container", "command")]
)
def test_an_instance_of_any_kind_is_woken_kept_awake_and_put_to_sleep(
    sleeper: MakeSleeper, instance: Make, kind: str
) -> None:
    if kind in ("engine", "host"):
        service: Service = instance("--runtime", kind, version=version_for(kind))
    else:
        service = sleeper(kind)
    name = service.name
    run("sockwake", "is-awake", name).expect(ASLEEP, "inactive")
    run("sockwake", "wake", name).expect(0, f"{name} is awake, after ", " s.\n")
    run("sockwake", "is-awake", "no-such", name).expect(0, "unknown\nactive\n")
    was_woken_by(service, "root with 'sockwake wake'")
    service.asleep()
    run("sockwake", "start", f"{name[:-1]}*").expect(0, f"{name} is awake")
    run("sockwake", "stop", name).expect(0, f"{name} is asleep, after ")
    service.asleep()
    run("sockwake", "keep", name, "--for", "1h").expect(0, f"{name} is kept awake until ")
    was_woken_by(service, "the hold of root")
    stays_awake(service)
    run("sockwake", "sleep", name).expect(IN_USE, f"'{name}' is kept awake by root ")
    run("sockwake", "release", name).expect(0, f"released {name} 1, of root ")
    service.asleep()


def test_sleep_refuses_under_clients_and_says_who_they_are(database: Database) -> None:
    with database.at_work() as client:
        refused = run("sockwake", "sleep", "pg1").expect(IN_USE, "pg1' has 1 connected client: ")
        assert f", process {os.getpid()})" in refused.err and "127.0.0.1:" in refused.err
        assert client.value("select 1") == "1"
    with database.connect():
        run("sockwake", "sleep", "pg1", "--force").expect(0, "pg1 is asleep, after ")
    assert "not properly shut down" not in database.journal()
    assert database.psql() == "1"
    run("sockwake", "sleep", "pg1", "--no-block").expect(0, "pg1 is falling asleep")
    database.asleep()
    run("sockwake", "sleep", "pg1").expect(0, "pg1 is asleep already")


def test_a_client_that_comes_while_it_is_put_to_sleep_is_served(database: Database) -> None:
    for number in range(10):
        assert database.psql() == "1"
        with start("sockwake", "sleep", "pg1") as child:
            time.sleep(0.03 * number)
            answer = database.psql("select 2")
            child.communicate(timeout=60)
        assert answer == "2" and child.returncode in (0, IN_USE)
    assert "not properly shut down" not in database.journal()


def test_a_stop_that_waits_for_its_turn_ends_no_server(instance: Make) -> None:
    """A client that comes until then takes its place, and has to find the server."""
    database = instance(idle="1min")
    folder = Path(f"/run/systemd/system/{database.proxy}.d")
    folder.mkdir(parents=True)
    (folder / "slow.conf").write_text("[Service]\nExecStop=+/bin/sleep 3\n")
    must("systemctl", "daemon-reload")
    try:
        before = database.journal().count("shutdown request")  # of its trial
        assert database.psql() == "1"
        must("systemctl", "stop", "--no-block", database.backend)
        until("the proxy is stopped", lambda: database.state(database.proxy) == "deactivating")
        time.sleep(1)
        assert database.is_awake() and database.journal().count("shutdown request") == before
        database.asleep()
    finally:
        shutil.rmtree(folder)
        must("systemctl", "daemon-reload")


@pytest.mark.parametrize("ending", [*only_in_soak("a check of a native program"), "sockwake sleep"])
def test_a_hold_that_comes_while_it_falls_asleep_has_it_woken_again(
    sleeper: MakeSleeper, tmp_path: Path, ending: str
) -> None:
    """It would find it ready, and its command would be killed."""
    service = sleeper("postgres" if ending == "sockwake sleep" else "native")
    marker, wrapper = tmp_path / "it-stops", Path("/usr/local/bin/systemctl")
    wrapper.write_text(
        f'#!/bin/sh\ncase "$*" in "stop --no-block "*) : >{marker}; sleep 2 ;; esac\n'
        'exec /usr/bin/systemctl "$@"\n'
    )
    wrapper.chmod(0o755)
    try:
        must("sockwake", "wake", service.name)
        sleeping = start("sockwake", "sleep", service.name) if "sleep" in ending else None
        until("it is about to be stopped", marker.exists)
        held = start("sockwake", "keep", service.name, "--", "sleep", "600")
        try:
            command = Path(f"/proc/{held.pid}/cmdline")
            until("its command runs", lambda: command.read_bytes().startswith(b"sleep\0"))
            stays_awake(service, 3)
        finally:
            held.kill()
            held.wait(20)
        assert sleeping is None or sleeping.wait(30) == 0
    finally:
        wrapper.unlink()
    service.asleep()


def test_a_wake_that_fails_or_takes_long_is_told(database: Database) -> None:
    run("sockwake", "wake", "pg1", "--timeout", "1ms").expect(1, "is not awake after 0.001 s")
    database.await_awake()
    run("sockwake", "wake", "pg1").expect(0, "pg1 is awake")
    database.asleep()
    database.edit("compose.yaml", "services:", "servitudes:")
    for verb in ("wake", "keep"):
        run("sockwake", verb, "pg1").expect(1, "instance 'pg1' cannot start: ", "journalctl -u pg-")
    assert holds(database) == []
    database.edit("compose.yaml", "servitudes:", "services:")
    run("systemctl", "stop", database.socket).expect(0)
    run("sockwake", "wake", "pg1").expect(1, "the port of instance 'pg1' is closed")
    run("sockwake", "keep", "pg1", "--", "sockwake", "is-awake", "pg1").expect(0, "active")
    run("systemctl", "start", database.socket).expect(0)
    database.asleep()


def test_a_hold_ends_with_its_command_however_that_ends(database: Database) -> None:
    script = "sockwake keep --json; umask; echo $MINE; exit 7"
    keep = 'umask 0077; exec sockwake keep pg1 -- sh -c "$0"'
    ran = run("sh", "-c", keep, script, env={"MINE": "here"})
    (hold,) = json.loads(ran.expect(7).out.removesuffix("0077\nhere\n"))
    assert hold["who"] == "root" and hold["reason"] == f"sh -c {script}" and hold["pid"]
    until_gone("the hold has ended", lambda: holds(database))
    run("sockwake", "keep", "pg1", "--", "/no/such").expect(1, "cannot run /no/such: no such file")
    assert holds(database) == []
    child = start("sockwake", "keep", "pg1", "--", "sleep", "1000")
    until("it runs its command", lambda: "sleep" in must("ps", "-o", "comm=", "-p", str(child.pid)))
    stays_awake(database)
    child.kill()
    child.wait()
    until_gone("the hold has ended", lambda: holds(database))
    database.asleep()


def test_a_hold_ends_with_the_terminal_of_its_command_but_not_with_its_own(
    database: Database,
) -> None:
    ours, theirs = pty.openpty()
    argv = ["setsid", "--ctty", "--wait", "sh", "-c"]
    script = "sockwake keep pg1 --reason mine; exec sockwake keep pg1 -- sleep 1000"
    child = subprocess.Popen([*argv, script], stdin=theirs, stdout=theirs, stderr=theirs)
    terminal = os.ttyname(theirs).removeprefix("/dev/")
    until("both are there", lambda: len(holds(database)) == 2)
    assert {each["tty"] for each in holds(database)} == {terminal}
    os.close(theirs)
    os.close(ours)
    child.wait(timeout=30)
    until("that of the command has ended", lambda: len(holds(database)) == 1)
    stays_awake(database)
    run("sockwake", "release", "pg1").expect(0, f"of root ({terminal}) since ", ": mine.")
    database.asleep()


@pytest.mark.kills
def test_several_hold_it_and_what_would_end_it_refuses(database: Database) -> None:
    run("sockwake", "keep", "pg1", "--reason", "100% %n", "--until", "+1h").expect(0)
    run("sockwake", "keep", "pg1", "--for", "6s", "--reason", "a moment").expect(0)
    run("sockwake", "release", "pg1").expect(
        1, "pg1' has 2 holds (1: ", "say which number, or --all"
    )
    run("sockwake", "release", "pg1", "3").expect(1, "instance 'pg1' has no hold 3")
    for argv in (["sleep", "pg1"], ["rm", "pg1"], ["runtime", "pg1", "engine"]):
        run("sockwake", *argv).expect(IN_USE, "pg1' is kept awake by root since ", ": 100% %n")
    # a keeper that was killed is no end
    keeper = "pg-keep@pg1:1.service"
    before = database.main_pid(keeper)
    database.kill(keeper)
    until("it is there again", lambda: database.main_pid(keeper) not in (0, before))
    # nor is that of the server, which is started again
    os.kill(database.server_pid(), signal.SIGKILL)
    until("the server has ended", lambda: not is_awake(database))
    assert [each["id"] for each in holds(database)] == [1, 2]
    until("it is awake again", lambda: is_awake(database))
    until("the second has ended", lambda: [each["id"] for each in holds(database)] == [1])
    stays_awake(database)
    run("sockwake", "release", "pg1", "--all").expect(0, "released pg1 1, of root ")
    database.asleep()
    run("sockwake", "release", "pg1").expect(0, "pg1 is kept awake by no hold")


def test_hours_in_which_it_is_kept_awake(database: Database) -> None:
    env = database.etc / "instance.env"
    env.write_text(f"{env.read_text()}KEEP={in_seconds(5, 15)}\n")
    run("systemctl", "daemon-reload").expect(0)
    assert not is_awake(database)
    until("its hours have begun", lambda: is_awake(database))
    (hold,) = holds(database)
    assert hold["who"] == "KEEP="
    was_woken_by(database, "its hours (KEEP=)")
    until_gone("its hours are over", lambda: holds(database))
    database.asleep()
    # a machine that is started in the middle opens the port then
    database.set("KEEP", f"{in_seconds(-3600, 3600)} | {in_seconds(-7200, -3600)}")
    run("systemctl", "daemon-reload").expect(0)
    run("systemctl", "restart", database.socket).expect(0)
    until("it is awake", lambda: is_awake(database))
    stays_awake(database)
    run("systemctl", "stop", database.socket).expect(0)
    until_gone("nothing holds it", lambda: holds(database) or is_awake(database))
    run("systemctl", "start", database.socket).expect(0)
    until("it is awake", lambda: is_awake(database))
    run("sockwake", "sleep", "pg1").expect(IN_USE, "'pg1' is kept awake by KEEP= since ")
    run("sockwake", "sleep", "pg1", "--force").expect(0, "pg1 is asleep")
    database.asleep()
    run("systemctl", "restart", database.socket).expect(0)
    until("it is awake", lambda: is_awake(database))
    run("sockwake", "rm", "pg1", "--purge").expect(0)
    assert holds(database) == []


def test_hours_that_are_set_count_at_once(database: Database) -> None:
    must("sockwake", "set", "pg1", f"KEEP={in_seconds(-3600, 3600)}")
    until("it is awake", lambda: is_awake(database))
    must("sockwake", "set", "pg1", "KEEP=")
    until_gone("nothing holds it", lambda: holds(database))
    database.asleep()


def test_hours_that_begin_before_its_disk_is_there(database: Database) -> None:
    with hours_without_data(database):
        pass
    until("it is awake", lambda: is_awake(database))


@pytest.mark.soak
def test_a_user_keeps_an_instance_of_its_own_awake(account: Account, user_database: Own) -> None:
    account.run("sockwake", "wake", "mine", "--user").expect(0, "mine is awake, after ")
    keep = "sockwake keep mine --user --reason why"
    account.run(*keep.split()).expect(0, "sockwake release --user mine 1 ends that")
    time.sleep(LONG)
    account.run("sockwake", "is-awake", "--user", "mine").expect(0, "active")
    account.run("sockwake", "sleep", "--user", "mine").expect(IN_USE, f"by {account.name} ")
    inner = "sockwake keep mine --user -- sh -c".split()
    account.run(*inner, "exit 9").expect(9)
    account.run("sockwake", "release", "--user", "mine", "--all").expect(0)
    user_database.asleep()
    env = user_database.etc / "instance.env"
    env.write_text(f"{env.read_text()}KEEP={in_seconds(-3600, 3600)}\n")
    account.run("systemctl", "--user", "daemon-reload").expect(0)
    is_awake = "sockwake is-awake --user -q mine".split()
    until("its hours have it awake", lambda: account.run(*is_awake).status == 0)
    account.run("sockwake", "stop", "--user", "--force", "mine").expect(0, "mine is asleep")
    user_database.asleep()
    account.run("sockwake", "wake", "mine").expect(1, "run this as root, or with --user")
