"""The package is replaced under sessions by one with other module names, and put back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from ending import Subject, one_of_each
from instances import Make, MakeService
from moment import until
from package import DEB, build, install, is_installed, unpack
from project import MakeProject

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


@pytest.fixture
def renamed(machine: None, tmp_path: Path) -> Iterator[str]:
    """The same package with a higher version and other names for its modules."""
    tree = tmp_path / "tree"
    unpack(tree, "+renamed")
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
    yield build(tree, f"{tmp_path}/renamed.deb")
    if not is_installed():
        install(DEB)


def replaced_under_sessions(subjects: tuple[Subject, ...], deb: str, *, stays: bool) -> None:
    """Install while each has a client; other clients come and go; then all sleep and wake."""
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
    instance: Make,
    service: MakeService,
    project: MakeProject,
    nginx: str,
    redis: str,
    program: str,
    renamed: str,
) -> None:
    subjects = one_of_each(instance, service, project, nginx, redis, program)
    for deb in (renamed, DEB):
        replaced_under_sessions(subjects, deb, stays=deb == DEB)
    for subject in subjects:
        subject.service.asleep()
        until(
            "its timer has gone", lambda: subject.service.state(subject.service.check) == "inactive"
        )
