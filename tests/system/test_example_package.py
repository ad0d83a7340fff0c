"""docs/examples/debian-package: a package that ships an instance, built and installed for real."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from instances import KnowService
from manual import SOURCE
from package import apt
from program import must, run
from web import get

EXAMPLE = SOURCE / "docs/examples/debian-package"
NAME = "hello-asleep"
PORT = 8088
PLACES = ("/etc", "/usr", "/var/lib/sockwake")
ENGINE = ("docker.socket", "docker.service")

pytestmark = [
    pytest.mark.skipif(not shutil.which("dh"), reason="debhelper is not installed"),
    pytest.mark.usefixtures("machine"),
]


@pytest.fixture
def deb(tmp_path: Path) -> Iterator[str]:
    """The package, built as its README says; it is purged afterwards, and no engine runs."""
    shutil.copytree(EXAMPLE, tmp_path / "source")
    must("dpkg-buildpackage", "-d", "-us", "-uc", "-b", cwd=str(tmp_path / "source"), timeout=120)
    must("systemctl", "stop", *ENGINE, timeout=120)
    yield next(str(path) for path in tmp_path.glob("*.deb"))
    run("apt-get", "--assume-yes", "purge", NAME, timeout=120)
    must("systemctl", "start", *ENGINE, timeout=120)


def files() -> set[str]:
    return {
        os.path.join(at, name)
        for place in PLACES
        for at, folders, found in os.walk(place)
        for name in (*folders, *found)
    }


def test_it_serves_from_its_installation_and_leaves_nothing_when_it_is_purged(
    deb: str, known_service: KnowService
) -> None:
    before = files()
    hello = known_service(NAME)
    apt("install", deb)
    assert hello.is_listening() and hello.processes() == []
    assert "Good morning." in get(PORT).text
    must("systemctl", "stop", hello.backend)
    hello.asleep()
    assert "Good morning." in get(PORT).text
    apt("install", "--reinstall", deb)
    assert hello.processes() and "Good morning." in get(PORT).text
    apt("remove", NAME)
    assert hello.processes() == [] and not hello.is_listening()
    apt("install", deb)
    assert "Good morning." in get(PORT).text
    must("systemctl", "disable", "--now", hello.socket)
    apt("install", "--reinstall", deb)
    assert not hello.is_listening(), "as the administrator has it"
    apt("purge", NAME)
    made = {path for path in files() - before if "/__pycache__" not in path}
    assert made <= {"/etc/sockwake", "/var/lib/sockwake/images"}
    assert not hello.is_awake() and not os.path.exists(f"/run/sockwake/{NAME}")
