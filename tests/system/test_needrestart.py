"""needrestart(1), which apt runs behind an upgrade of a library, leaves clients what they have."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from ctypes.util import find_library
from pathlib import Path

import pytest

from database import Database
from host_postgres import VERSION
from instances import Make
from moment import until
from program import must, run
from units import main_pid

OURS = Path("/etc/needrestart/conf.d/sockwake.conf")
CONTROL = "sockwake-control.service"  # what it has to restart, to be known to work
XML = find_library("xml2")  # by its soname, which differs from one Debian to the next

pytestmark = pytest.mark.skipif(not shutil.which("needrestart"), reason="needrestart is missing")


PROGRAM = f"import ctypes, time; ctypes.CDLL('{XML}'); time.sleep(9999)"
# what makes a cluster of the host's, and what upgrades, maintains or proves one, by their names
AT_WORK = ("sockwake-init-pg1.service", "sockwake-programs-pg1-upgrade.service")


@pytest.fixture
def control() -> Iterator[str]:
    unit = Path(f"/etc/systemd/system/{CONTROL}")
    unit.write_text(f'[Service]\nExecStart=/usr/bin/python3 -c "{PROGRAM}"\n')
    must("systemctl", "daemon-reload")
    must("systemctl", "start", CONTROL)
    yield CONTROL
    must("systemctl", "stop", CONTROL)
    unit.unlink()
    must("systemctl", "daemon-reload")


def upgrade_libraries() -> None:
    """What dpkg does: another file in its place, while programs have the old one open.

    Of the server's and of the proxy's, which few others have open.
    """
    names = (f"*/{XML}.*", "*/systemd/libsystemd-shared-*.so")
    for library in (path for name in names for path in Path("/usr/lib").glob(name)):
        new = library.with_name(f"{library.name}.dpkg-new")
        shutil.copy2(library, new)
        os.replace(new, library)


def needrestart() -> str:
    """As apt runs it where nobody is asked."""
    silent = {"DEBIAN_FRONTEND": "noninteractive"}
    return run("needrestart", "-r", "a", env=silent, timeout=120).expect(0).out


def pids(database: Database) -> list[int]:
    return [database.main_pid(unit) for unit in (database.backend, database.proxy)]


@pytest.mark.soak
def test_it_defers_what_clients_are_connected_to(instance: Make, control: str) -> None:
    awake = instance("--runtime", "host", "--version", VERSION, name="pg1", idle="10min")
    asleep = instance("--runtime", "host", "--version", VERSION, name="pg2", idle="10min")
    with awake.connect() as client:
        before, session = pids(awake), client.value("select pg_backend_pid()")
        other = main_pid(control)
        upgrade_libraries()
        done, _, deferred = needrestart().partition("deferred")
        assert control in done and main_pid(control) != other
        assert all(unit in deferred for unit in (awake.backend, awake.proxy))
        assert pids(awake) == before and client.value("select pg_backend_pid()") == session
    assert asleep.processes() == []
    # without the file that the package brings it would have
    away = OURS.rename("/var/tmp/sockwake.conf")
    try:
        assert awake.backend in needrestart().partition("deferred")[0]
    finally:
        shutil.move(away, OURS)
    until("it serves again", lambda: awake.psql() == "1")


def test_it_defers_what_works_on_a_cluster(machine: None, control: str) -> None:
    for unit in AT_WORK:
        run_it = ("systemd-run", "--quiet", "--collect", f"--unit={unit}", "/usr/bin/python3", "-c")
        must(*run_it, PROGRAM)
    try:
        maps = [Path(f"/proc/{main_pid(unit)}/maps") for unit in (*AT_WORK, control)]
        until("they have it open", lambda: all(str(XML) in each.read_text() for each in maps))
        before = [main_pid(unit) for unit in AT_WORK]
        upgrade_libraries()
        done, _, deferred = needrestart().partition("deferred")
        assert control in done
        assert [main_pid(unit) for unit in AT_WORK] == before
        assert all(unit in deferred for unit in AT_WORK)
    finally:
        must("systemctl", "stop", *AT_WORK)
