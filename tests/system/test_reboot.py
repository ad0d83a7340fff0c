"""A reboot and a power cut while a client writes: no committed row is lost, every port is open.

tests/run calls this file three times; SOCKWAKE_BOOT says what it did to the machine before.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from database import Database
from moment import until
from program import must, run
from service import Service
from web import get

BOOT = os.environ.get("SOCKWAKE_BOOT", "")
HERE = Path(__file__).parent
COMMITTED, SQUATTER = Path("/root/committed-rows"), Path("/etc/systemd/system/squatter.service")
WRITER = f"""
import itertools, sys
sys.path.insert(0, "{HERE}")
from database import Database
client = Database("pg1").connect()
with open("{COMMITTED}", "a") as log:
    for n in itertools.count(int(client.value("select count(*) from kept"))):
        client.query(f"insert into kept values ({{n}})")
        log.write(f"{{n}}\\n")
        log.flush()
"""
SQUAT = r"""[Unit]
DefaultDependencies=no
Before=sockets.target
[Service]
Type=notify
NotifyAccess=all
ExecStart=/usr/bin/python3 -c 'import os, socket, time; \
    s = socket.create_server(("127.0.0.1", 25433)); \
    os.system("systemd-notify --ready"); \
    time.sleep(1000)'
[Install]
WantedBy=sockets.target
"""
pytestmark = pytest.mark.skipif(
    not BOOT, reason="SOCKWAKE_BOOT= does not say that tests/run reboots the machine"
)


def write_on() -> None:
    """Leave a client that commits one row after the other until the machine goes down."""
    before = len(COMMITTED.read_text().splitlines()) if COMMITTED.exists() else 0
    must(*"systemd-run --quiet --collect --unit=writer /usr/bin/python3 -B -c".split(), WRITER)
    until(
        "it writes",
        lambda: COMMITTED.exists() and len(COMMITTED.read_text().splitlines()) > before + 20,
    )


def every_committed_row_is_there(database: Database) -> None:
    rows = set(database.psql("select n from kept").split())
    assert set(COMMITTED.read_text().split()) <= rows
    assert len(COMMITTED.read_text().split()) > 20


def everything_sleeps() -> None:
    """Every port is open, and nothing was woken by the boot itself."""
    for name in ("pg1", "web1"):
        Service(name).asleep()
    assert must("docker", "ps", "--quiet") == ""


@pytest.mark.after("nothing")
def test_instances_are_awake_when_the_machine_is_rebooted() -> None:
    for name in ("pg1", "pg2"):
        options = "--version 18 --idle 2s --backup on-sleep --enable"
        run("sockwake-new", name, *options.split()).expect(0)
    new = "sockwake-new web1 --kind container --image nginx:local --container-port 80"
    must(*new.split(), *"--idle 2s --port 25480 --enable".split())
    must("systemctl", "stop", "pg-proxy@pg2.socket")
    SQUATTER.write_text(SQUAT)
    must("systemctl", "enable", "--now", SQUATTER.name)
    Database("pg1").psql("create table kept (n int)")
    assert get(25480).status == 200
    write_on()


@pytest.mark.after("reboot")
def test_what_was_awake_is_backed_up_behind_the_boot() -> None:
    """The writer kept it awake until the shutdown. Before anything is woken."""
    database = Database("pg1")
    said = ("journalctl", "--boot", "--output=cat")
    unit = "pg-backup@pg1.service"
    until("it is backed up", lambda: "Backed up pg1" in must(*said, f"--unit={unit}"))
    assert "woken by" not in must(*said, f"--unit={database.backend}")
    order = must("systemctl", "show", "--value", "--property=After", "sockwake.target")
    assert unit not in order, "a boot would wait for it"


@pytest.mark.after("reboot")
def test_after_a_reboot_every_port_is_open_and_every_committed_row_is_there() -> None:
    database = Database("pg1")
    everything_sleeps()
    every_committed_row_is_there(database)
    assert get(25480).status == 200
    for one in (database, Service("web1")):
        one.settle()
        must("journalctl", "--sync")
        said = must("journalctl", "--boot", "--output=cat", f"--unit={one.backend}")
        assert "woken by" in said and "not properly shut down" not in said, said


@pytest.mark.after("reboot")
def test_a_port_that_was_taken_at_boot_is_opened_when_it_is_free() -> None:
    second = Database("pg2")
    # for a moment it is not, while it is tried again
    until("it is told", lambda: second.has_failed("port 25433 is taken by process "))
    assert "Failed to listen on " in must(
        "journalctl", "--boot", "--output=cat", f"--unit={second.socket}"
    )
    must("systemctl", "disable", "--now", SQUATTER.name)
    until("its port is open", second.is_listening, 60)
    assert second.psql() == "1"
    SQUATTER.unlink()
    write_on()


@pytest.mark.after("power cut")
def test_after_a_power_cut_every_port_is_open_and_every_committed_row_is_there() -> None:
    everything_sleeps()
    every_committed_row_is_there(Database("pg1"))
    assert Database("pg2").psql() == "1"
    assert get(25480).status == 200
    units = ("pg-proxy@*.socket", "pg-proxy@*.service", "pg-postgres@*.service")
    must("systemctl", "stop", *units, timeout=120)
    must("systemctl", "stop", "pg-backup@*.service")  # which that has started
    for name in ("pg1", "pg2", "web1"):
        must("sockwake", "rm", name, "--purge")
    shutil.rmtree("/var/backups/sockwake", ignore_errors=True)
    COMMITTED.unlink()
