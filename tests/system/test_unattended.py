"""unattended-upgrades and needrestart, as Debian installs them, under open sessions and sleepers.

For the soak. The new versions are made of the installed packages, with their maintainer scripts.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from database import Database
from host_postgres import VERSION
from instances import Make
from manual import SOURCE
from package import DEB, install
from program import must, run

SOURCES = Path("/etc/apt/sources.list.d/unattended-test.list")
SETTINGS = Path("/etc/apt/apt.conf.d/99unattended-test")
HOOK = Path("/etc/apt/apt.conf.d/99needrestart")
OFF = HOOK.with_suffix(".disabled")
PACKAGES = ("crun", "docker.io", "sockwake")

pytestmark = [
    pytest.mark.skipif(not DEB, reason="SOCKWAKE_DEB= names no package to install"),
    pytest.mark.soak,
    pytest.mark.skipif(not OFF.exists(), reason="needrestart is not the tests' to turn on"),
    pytest.mark.usefixtures("machine"),
]


def version(package: str) -> str:
    return must("dpkg-query", "--show", "--showformat=${Version}", package)


@pytest.fixture
def upgrades() -> Iterator[None]:
    """A repository with newer versions of the packages, which unattended-upgrades may take."""
    place = Path("/var/tmp/upgrades")
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(mode=0o755)
    for package in PACKAGES:
        must("dpkg-repack", "--generate", package, cwd=str(place))
        [tree] = (path for path in place.iterdir() if path.is_dir())
        control = tree / "DEBIAN/control"
        newer = re.sub(r"^(Version: .*)$", r"\1+new", control.read_text(), flags=re.MULTILINE)
        control.write_text(newer)
        must("dpkg-deb", "-Znone", "--build", str(tree), f"{place}/{package}.deb", timeout=120)
        shutil.rmtree(tree)
    must(f"{SOURCE}/tests/repository", str(place))
    SOURCES.write_text(f"deb [trusted=yes] file:{place} ./\n")
    SETTINGS.write_text('Unattended-Upgrade::Origins-Pattern { "origin=sockwake"; };\n')
    OFF.rename(HOOK)
    must("apt-get", "update")
    yield
    HOOK.rename(OFF)
    SOURCES.unlink()
    SETTINGS.unlink()
    shutil.rmtree(place)
    must("apt-get", "update")
    install(DEB)


def test_nothing_is_restarted_and_all_is_served(instance: Make, upgrades: None) -> None:
    awake = [
        instance(name="pg1", idle="10min"),
        instance("--runtime", "engine", name="pg2", idle="10min"),
        instance("--runtime", "host", "--version", VERSION, name="pg3", idle="10min"),
    ]
    asleep = instance(name="pg4")
    asleep.asleep()
    clients = [database.connect() for database in awake]
    before = [_known(database) for database in awake]
    sessions = [client.value("select pg_backend_pid()") for client in clients]
    said = run("unattended-upgrade", "--verbose", timeout=400).expect(0).out
    assert [version(package).endswith("+new") for package in PACKAGES] == [True] * 3, said
    assert [_known(database) for database in awake] == before, said
    assert [client.value("select pg_backend_pid()") for client in clients] == sessions
    assert asleep.processes() == []
    for client in clients:
        client.close()
    for database in (*awake, asleep):
        must("systemctl", "stop", database.proxy, timeout=120)
        database.asleep()
        assert database.psql() == "1"


def _known(database: Database) -> tuple[int, ...]:
    return database.main_pid(database.backend), database.main_pid(database.proxy)
