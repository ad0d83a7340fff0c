"""Install, upgrade and remove the package under instances. Comes last, and leaves it installed."""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from database import Database
from instances import Know, Make
from moment import until
from package import DEB, apt, build, install, is_installed, unpack
from program import must, run, start
from soak import only_in_soak

# what is no package's, an engine's, the cache or log of what a test has used, or the tests' own
ELSEWHERE = re.compile(
    r"/(dev|home|proc|root|run|src|srv|sys|tmp)"
    r"|/var/(cache|log|tmp|lib/(apt|containerd|containers|docker|dpkg|systemd))"
)

pytestmark = [
    pytest.mark.skipif(not DEB, reason="SOCKWAKE_DEB= names no package to install"),
    pytest.mark.usefixtures("image"),
    pytest.mark.makes,
]


@pytest.fixture(autouse=True)
def installed() -> Iterator[None]:
    yield
    if not is_installed():
        install(DEB)


@pytest.fixture
def newer(tmp_path: Path) -> str:
    """The same package with a higher version."""
    tree = tmp_path / "tree"
    unpack(tree, "+newer")
    return build(tree, f"{tmp_path}/newer.deb")


def pids(database: Database) -> tuple[int, int, int]:
    found = (
        database.server_pid(),
        database.main_pid(database.proxy),
        database.main_pid(database.backend),
    )
    assert 0 not in found
    return found


def inode(port: int) -> str:
    """The inode of the socket that listens on a port."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return next(row[9] for row in rows if row[1].endswith(f":{port:04X}") and row[3] == "0A")


def active_units() -> set[str]:
    kinds = "--type=service,socket,target,timer,path"
    listed = must(*"systemctl list-units --no-legend --plain --state=active".split(), kinds)
    return {line.split()[0] for line in listed.splitlines()}


def test_installing_starts_nothing_but_the_target_and_makes_no_instance() -> None:
    apt("purge", "sockwake")
    before = active_units()
    apt("install", DEB)
    assert active_units() - before == {"sockwake.target"}
    assert must("systemctl", "is-enabled", "sockwake.target") == "enabled\n"
    assert must("sockwake", "ls").startswith("There are no instances.")
    wanted = [
        *Path("/etc/systemd").glob("*/*.wants/sockwake*"),
        *Path("/etc/systemd").glob("*/*.wants/pg-*"),
    ]
    assert {str(path.relative_to("/etc/systemd")) for path in wanted} == {
        "system/multi-user.target.wants/sockwake.target",
        "user/default.target.wants/sockwake.target",
    }


def test_awake_database_keeps_its_processes_and_its_sessions_over_reinstall_upgrade_and_downgrade(
    instance: Make, newer: str
) -> None:
    database = instance(idle="10min")
    with database.connect() as client:
        before, session = pids(database), client.value("select pg_backend_pid()")
        for arguments in (
            ("install", "--reinstall", DEB),
            ("install", newer),
            ("install", "--allow-downgrades", DEB),
        ):
            apt(*arguments)
            assert pids(database) == before, arguments
            assert client.value("select pg_backend_pid()") == session, arguments
            assert database.psql() == "1"
    must("systemctl", "stop", database.proxy, timeout=120)
    database.asleep()
    assert database.psql() == "1"


@pytest.mark.soak
def test_sleeping_database_keeps_its_open_port_over_reinstall_and_upgrade(
    instance: Make, newer: str
) -> None:
    database = instance()
    before = inode(database.port)
    apt("install", "--reinstall", DEB)
    apt("install", newer)
    assert inode(database.port) == before
    assert database.processes() == []
    assert database.psql() == "1"


def test_removal_stops_cleanly_keeps_the_directories_and_installing_again_brings_everything_back(
    instance: Make,
) -> None:
    awake, sleeping = instance(name="pg1", idle="10min"), instance(name="pg2")
    for database in (awake, sleeping):
        database.psql(f"create table kept as select '{database.name}' as name")
    sleeping.asleep()
    files = sorted(Path("/etc/sockwake").rglob("*"))
    apt("remove", "sockwake")
    assert awake.processes() == sleeping.processes() == []
    assert "database system is shut down" in awake.journal()
    assert not {f":{database.port} " for database in (awake, sleeping)} & set(
        must("ss", "-Hltn").split()
    )
    awake.try_psql().expect(2, "refused")
    assert sorted(Path("/etc/sockwake").rglob("*")) == files
    apt("install", DEB)
    for database in (awake, sleeping):
        assert database.is_listening() and database.processes() == []
        assert database.psql("select name from kept") == database.name
    assert "not properly shut down" not in awake.journal() + sleeping.journal()


@pytest.mark.soak
def test_a_removal_that_is_interrupted_opens_the_ports_again(instance: Make) -> None:
    """As by Ctrl-C: dpkg has the postinst put right what the prerm had begun."""
    awake, sleeping = instance(name="pg1", idle="10min"), instance(name="pg2")
    slow = Path(f"/run/systemd/system/{awake.proxy}.d/slow.conf")
    slow.parent.mkdir(parents=True)
    slow.write_text("[Service]\nExecStop=/usr/bin/sleep 5\n")
    must("systemctl", "daemon-reload")
    try:
        assert awake.psql() == "1"
        removal = start("apt-get", "--assume-yes", "remove", "sockwake")
        until("the ports are closed", lambda: not sleeping.is_listening())
        must("pkill", "--signal=INT", "--full", "info/sockwake.prerm")
        assert removal.wait(60) != 0
    finally:
        shutil.rmtree(slow.parent)
        must("systemctl", "daemon-reload")
    assert is_installed()
    for database in (awake, sleeping):
        until("its port is open", database.is_listening, 60)
        assert database.psql() == "1"


@pytest.mark.soak
def test_a_backup_that_a_removal_begins_leaves_nothing_and_is_made_when_it_is_back(
    instance: Make,
) -> None:
    """BACKUP=on-sleep: the removal has the database sleep."""
    database = instance(idle="10min")
    database.psql("create table big as select repeat('x', 1000) from generate_series(1, 500000)")
    must("sockwake", "set", "pg1", "BACKUP=on-sleep")
    try:
        apt("purge", "sockwake")
        assert must("systemctl", "list-units", "--failed", "--no-legend") == ""
        assert not Path("/usr/share/sockwake").exists()
        apt("install", DEB)
        made = Path("/var/backups/sockwake/pg1")
        until("it is backed up", lambda: list(made.glob("2*.files")), 120)
        must("sockwake", "set", "pg1", "BACKUP=no")
        assert database.psql("select count(*) from big") == "500000"
    finally:
        shutil.rmtree("/var/backups/sockwake", ignore_errors=True)


@pytest.mark.soak
def test_a_copy_for_an_hour_and_metrics_are_back_after_a_removal_and_go_with_a_purge(
    instance: Make, known: Know
) -> None:
    instance()
    known("pg2")
    must("sockwake", "copy", "pg1", "pg2", "--ttl", "1h")
    units = ("pg-expire@pg2.timer", "sockwake-exporter.socket", "sockwake-metrics.timer")
    must("systemctl", "enable", "--now", *units[1:])
    apt("remove", "sockwake")
    assert must("systemctl", "list-units", "--failed", "--no-legend") == ""
    assert not set(units) & active_units()
    apt("install", DEB)
    assert set(units) <= active_units()
    apt("purge", "sockwake")
    links = [str(path) for path in Path("/etc/systemd/system").glob("*.wants/sockwake*")]
    apt("install", DEB)
    assert links == []


@pytest.mark.parametrize("moment", ["awake", *only_in_soak("asleep")])
def test_purge_deletes_no_database_and_says_what_it_left(instance: Make, moment: str) -> None:
    database = instance(idle="10min" if moment == "awake" else "1s")
    database.psql("create table kept as select 1 as n")
    if moment == "asleep":
        database.asleep()
    silent = {"DEBIAN_FRONTEND": "noninteractive"}
    ran = run("apt-get", "--assume-yes", "purge", "sockwake", env=silent, timeout=120)
    ran.expect(
        0,
        "sockwake: left in place: /etc/sockwake with pg1",
        "sockwake: left in place: /var/lib/sockwake with bundles images pg1",
    )
    assert (database.cluster / "PG_VERSION").exists() and (database.etc / "password").exists()
    apt("install", DEB)
    assert database.psql("select n from kept") == "1"
    assert "not properly shut down" not in database.journal()


def footprint() -> dict[str, tuple[object, ...]]:
    """Mode and owner of all that is on the machine, where its links lead, and the files of /etc."""
    found: dict[str, tuple[object, ...]] = {}
    for at, folders, files in os.walk("/"):
        folders[:] = [name for name in folders if not ELSEWHERE.fullmatch(os.path.join(at, name))]
        for name in (*folders, *files):
            path = Path(at, name)
            status = path.lstat()
            text = b""
            if stat.S_ISLNK(status.st_mode):  # of /etc/mtab the mounts are another matter
                text = os.fsencode(os.readlink(path))
            elif at.startswith("/etc") and stat.S_ISREG(status.st_mode):
                text = path.read_bytes()
            found[str(path)] = (oct(status.st_mode), status.st_uid, status.st_gid, text)
    return found


def test_installed_used_and_purged_the_machine_is_as_it_was(instance: Make) -> None:
    """What piuparts looks for, with an instance made, woken and removed in between."""
    apt("purge", "sockwake")
    before = footprint()
    apt("install", DEB)
    database = instance()
    assert database.psql() == "1"
    database.asleep()
    apt("install", "--reinstall", DEB)
    apt("remove", "sockwake")
    apt("install", DEB)
    must("sockwake", "rm", "pg1", "--purge")
    must("sockwake", "images", "prune")
    apt("purge", "sockwake")
    after = footprint()
    changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    assert changed == set()
    assert "sockwake" not in must("systemctl", "list-unit-files")
    assert [*Path("/run").glob("sockwake*"), *Path("/run/sockwake").glob("*")] == []
    assert "sockwake" not in Path("/proc/self/mounts").read_text()
    apt("install", DEB)
