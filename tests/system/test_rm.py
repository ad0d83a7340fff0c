"""sockwake rm: an instance goes, its data only when told."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

import units
from cluster_servers import servers
from instances import Make, MakeService
from moment import until
from program import must, run, start
from web import get
from webshop import container

IN_USE, UNKNOWN, INTERRUPTED = 4, 5, 130


def test_refuses_while_clients_are_connected(instance: Make) -> None:
    database = instance(idle="5s")  # as long as they may be silent
    with database.connect() as client, database.connect():
        for _ in range(2):
            run("sockwake", "rm", "pg1", "--purge").expect(
                IN_USE, "sockwake: error: instance 'pg1' has 2 connected clients", "(hint: "
            )
        assert client.value("select 1") == "1"
    database.asleep()
    assert database.psql() == "1"


def test_awake_without_clients_is_shut_down_cleanly_and_its_data_stay(instance: Make) -> None:
    database = instance(idle="10min")
    database.psql("create table kept as select 1 as n")
    password = database.password
    said = run("sockwake", "rm", "pg1").expect(
        0, "Removed /etc/sockwake/pg1; left the data and their password in /var/lib/sockwake/pg1."
    )
    assert said.err == ""
    assert not database.etc.exists() and not database.run.exists()
    assert "database system is shut down" in database.journal()
    again = instance()
    assert again.password == password
    assert again.psql("select n from kept") == "1"
    assert "not properly shut down" not in again.journal()


def test_the_backup_of_its_last_sleep_does_not_fail_behind_it(instance: Make) -> None:
    database = instance("--backup", "on-sleep", idle="10min")
    database.psql()
    unit, lock = "pg-backup@pg1.service", Path("/run/sockwake-backup")
    lock.mkdir(0o700, exist_ok=True)
    others = os.open(lock, os.O_RDONLY)
    fcntl.flock(others, fcntl.LOCK_EX)  # a backup of another goes on
    try:
        run("sockwake", "rm", "pg1", "--purge").expect(0, "deleted the data")
        os.close(others)
        until("it has ended", lambda: units.active_state(unit) != "activating")
        assert units.active_state(unit) == "inactive"
    finally:
        run("systemctl", "reset-failed", unit)


@pytest.mark.fault
def test_interrupted_while_it_waits_the_port_is_open_as_before(instance: Make) -> None:
    database = instance(idle="10min")
    database.psql()
    (slow,) = servers(database.cluster, "checkpointer")
    os.kill(slow, signal.SIGSTOP)
    try:
        remover = start("sockwake", "rm", "pg1", "--purge")
        until("it has closed the port", lambda: not database.is_listening())
        remover.send_signal(signal.SIGINT)
        time.sleep(0.5)
    finally:
        os.kill(slow, signal.SIGCONT)
    assert remover.wait(60) == INTERRUPTED
    assert database.psql() == "1"
    assert database.property(database.socket, "UnitFileState") == "enabled"


def test_purge_deletes_the_data_and_says_so(instance: Make) -> None:
    database = instance()
    again = "pg-held@pg1.service"  # is at work for two seconds
    must("systemctl", "start", "--no-block", again)
    run("sockwake", "rm", "pg1", "--purge").expect(0, "deleted the data in /var/lib/sockwake/pg1")
    assert not Path("/var/lib/sockwake/pg1").exists()
    assert {database.state(unit) for unit in (again, database.socket)} == {"inactive"}


def test_unknown_name() -> None:
    run("sockwake", "rm", "nosuch").expect(
        UNKNOWN, "sockwake: error: there is no instance 'nosuch'", "(hint: sockwake ls"
    )


def test_an_instance_that_was_neither_opened_nor_provisioned(instance: Make) -> None:
    instance("--no-provision", enable=False)
    must("sockwake", "rm", "pg1")
    assert must("sockwake", "ls").startswith("There are no instances.")


def test_an_instance_with_broken_files_is_removed_and_its_data_stay(instance: Make) -> None:
    database = instance()
    (database.etc / "instance.env").write_text("garbage\n")
    must("systemctl", "daemon-reload")
    run("sockwake", "rm", "pg1", "--purge").expect(
        1, "/etc/sockwake/pg1/instance.env:1 is not KEY=value: garbage"
    )
    password, env = database.password, database.etc / "instance.env"
    run("sockwake", "rm", "pg1").expect(1, f"{env}:1 is not KEY=value", f"without {env} it is")
    env.unlink()
    must("sockwake", "rm", "pg1")
    data = Path("/var/lib/sockwake/pg1")
    assert (data / "18/docker/PG_VERSION").exists()
    assert (data / "sockwake-password").read_text().strip() == password
    must("rm", "-r", "/var/lib/sockwake/pg1")


def test_removing_a_slow_instance_holds_up_no_other(service: MakeService, nginx: str) -> None:
    slow = "    stop_signal: SIGWINCH\n"
    shop = container(service, nginx, "--idle", "10min")
    shop.edit("compose.yaml", "    image: ${IMAGE}\n", "    image: ${IMAGE}\n" + slow)
    shop.edit("compose.yaml", "stop_grace_period: 1m", "stop_grace_period: 20s")
    assert get(shop.port).status == 200
    must("systemctl", "stop", shop.proxy)
    remover = subprocess.Popen(["sockwake", "rm", "svc1"], stdout=subprocess.DEVNULL)
    time.sleep(1)
    began = time.monotonic()
    other = container(service, nginx, "--no-provision", name="svc2", enable=False)
    must("sockwake", "rm", other.name)
    took, was_stopping = time.monotonic() - began, remover.poll() is None
    assert remover.wait(60) == 0
    assert was_stopping and took < 10
