"""The package is replaced, under live sessions, by one whose modules are named otherwise, and put back: who is served notices nothing."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from ending import Command, Container, Native, Postgres, Subject
from instances import Make, MakeService
from moment import until
from program import must, run

DEB = os.environ.get("SOCKWAKE_DEB", "")
pytestmark = [
    pytest.mark.fault,
    pytest.mark.skipif(not DEB, reason="SOCKWAKE_DEB= names no package to install"),
]
# folders: so that every module of a wake, a watcher, a check and an end is somewhere else
RENAMED = {
    "config": "settings_of",
    "system": "kernel",
    "clients": "guests",
    "engine": "motor",
    "postgres": "database",
    "lifecycle": "life",
}


def install(deb: str) -> None:
    must(
        "apt-get",
        "--assume-yes",
        "--quiet",
        "install",
        "--reinstall",
        "--allow-downgrades",
        deb,
        env={"DEBIAN_FRONTEND": "noninteractive"},
        timeout=120,
    )


@pytest.fixture
def renamed(machine: None, tmp_path: Path) -> Iterator[str]:
    """The same package with a higher version and other names for its modules."""
    tree = tmp_path / "tree"
    must("dpkg-deb", "--raw-extract", DEB, str(tree))
    control = tree / "DEBIAN/control"
    control.write_text(
        re.sub(r"^Version: (.*)$", r"Version: \1+renamed", control.read_text(), flags=re.MULTILINE)
    )
    package = tree / "usr/share/sockwake/sockwake"
    for path in [*package.rglob("*.py"), *(tree / "usr/share/sockwake/bin").iterdir()]:
        text = path.read_text()
        for old, new in RENAMED.items():
            text = re.sub(
                rf"^(\s*from sockwake\.){old}\b", rf"\g<1>{new}", text, flags=re.MULTILINE
            )
        path.write_text(text)
    for old, new in RENAMED.items():
        (package / old).rename(package / new)
    (tree / "DEBIAN/md5sums").unlink(missing_ok=True)
    must("dpkg-deb", "--root-owner-group", "--build", str(tree), f"{tmp_path}/renamed.deb")
    yield f"{tmp_path}/renamed.deb"
    if (
        run("dpkg-query", "--show", "--showformat=${Version}", "sockwake").out
        != must("dpkg-deb", "--field", DEB, "Version").strip()
    ):
        install(DEB)


def replaced_under_sessions(subjects: list[Subject], deb: str, *, stays: bool) -> None:
    """The package is installed while each has a client; others come and go; then all sleep and wake again."""
    with ExitStack() as stack:
        for subject in subjects:
            stack.enter_context(subject.held())
        before = {
            subject.service.name: subject.service.main_pid(subject.service.backend)
            for subject in subjects
        }
        install(deb)
        assert Path("/usr/share/sockwake/sockwake/kernel/files.py").exists() != stays
        for subject in subjects * 2:
            subject.serves(0)
            assert (
                subject.service.main_pid(subject.service.backend) == before[subject.service.name]
            ), f"{subject.service} was woken anew"
    for subject in subjects:
        subject.service.asleep()
        subject.serves(0)
        assert "error" not in subject.service.ls()
        said = subject.service.journal()
        assert "ModuleNotFoundError" not in said and "ImportError" not in said, said


def test_clients_come_and_go_and_it_sleeps_and_wakes(
    instance: Make, service: MakeService, nginx: str, redis: str, program: str, renamed: str
) -> None:
    subjects = [
        Postgres(instance("--check-every", "1s")),
        Container(service("container", "--image", nginx, "--container-port", "80", name="shop")),
        Command(service("command", "--exec", f"{redis} --port {{port}}", name="cache")),
        Native(service("native", "--exec", program, "--check-every", "1s", name="own")),
    ]
    for deb in (renamed, DEB):
        replaced_under_sessions(list(subjects), deb, stays=deb == DEB)
    for subject in subjects:
        subject.service.asleep()
        until(
            "its timer has gone", lambda: subject.service.state(subject.service.check) == "inactive"
        )
