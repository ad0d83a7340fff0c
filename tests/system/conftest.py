"""Ring 2: on a real systemd, a real Docker and a real PostgreSQL, as root, with the package installed.

Every test makes what it needs with the real commands, and proves in the end that nothing of it is left.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import figures
import traces
from database import IMAGE, Database
from program import run

Make = Callable[..., Database]
Know = Callable[[str], Database]

UNKNOWN = 5  # what sockwake ends with when there is no such instance


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "fault: does damage, and looks who says what and whether it heals")
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it, and so would ours


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip with a reason what this machine cannot do; the tests of the package itself come last."""
    missing = _what_is_missing()
    for item in items:
        if missing and "image" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.skip(reason=missing))
    items.sort(key=lambda item: item.path.name == "test_package.py")


def _what_is_missing() -> str:
    if os.geteuid() or not Path("/run/systemd/system").is_dir():
        return "needs root and a running systemd"
    if run("sh", "-c", "command -v sockwake-new").status:
        return "the package is not installed"
    if run("docker", "image", "inspect", IMAGE).status:
        return f"image {IMAGE} is not on this machine"
    return ""


@pytest.fixture(scope="session", autouse=True)
def figures_of_the_run(record_testsuite_property: Callable[[str, object], None]) -> Iterator[None]:
    """Keep what the run did in its report."""
    cursor = run("journalctl", "--lines=0", "--show-cursor").out.strip().rpartition("cursor: ")[2]
    yield
    for name, value in figures.total(cursor).items():
        record_testsuite_property(name, value)


@pytest.fixture(scope="session")
def image() -> str:
    """The image most instances are made of; asking for it skips a test where there is none."""
    return IMAGE


@pytest.fixture(scope="session")
def listening_before() -> set[int]:
    return traces.listening()


class Made:
    """The instances of one test, known before they are made, so that whatever happens they are taken away."""

    def __init__(self) -> None:
        self._databases: list[Database] = []

    def know(self, name: str) -> Database:
        """What the test makes under this name by itself is removed after it, however far it came."""
        self._databases.append(Database(name))
        return self._databases[-1]

    def take_away(self) -> list[str]:
        """Remove them with their data; returns what is wrong, and whether the test left a port dead."""
        problems = []
        for database in reversed(self._databases):
            if database.state(database.socket) == "failed":
                figures.count("sockets left failed")
                problems.append(f"{database.socket} is left failed:\n{database.journal()}")
            run("systemctl", "stop", database.socket, database.proxy)  # rm sends no clients away
            removed = run("sockwake", "rm", database.name, "--purge", timeout=120)
            if removed.status not in (0, UNKNOWN):
                problems.append(str(removed))
        return problems


@pytest.fixture(autouse=True)
def made(request: pytest.FixtureRequest) -> Iterator[Made]:
    """What the test makes; leave no trace, and prove it."""
    mine = Made()
    if "image" not in request.fixturenames:
        yield mine
        return
    before = request.getfixturevalue("listening_before")
    if request.node.get_closest_marker("fault"):
        figures.count("faults tried")
    yield mine
    left = mine.take_away() + traces.found(before)
    if left:
        traces.sweep()
    assert not left, "\n".join(left)


@pytest.fixture
def instance(made: Made, image: str) -> Make:
    """instance(*options, name=…, version=…, idle=…, enable=…) makes one with sockwake-new."""

    def make(*options: str, name: str = "pg1", version: str = "18", idle: str = "1s", enable: bool = True) -> Database:
        database = made.know(name)
        database.made = run("sockwake-new", name, "--version", version, "--idle", idle, *(["--enable"] if enable else []),
                            *options).expect(0)
        return database

    return make


@pytest.fixture
def known(made: Made, image: str) -> Callable[[str], Database]:
    """known(NAME) is an instance that the test is going to make by itself."""
    return made.know
