"""Ring 1: no root, no systemd, no network, seconds. Real files, sockets and programs, no mocks."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

SOURCE = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(SOURCE))

import fuzz  # noqa: E402
from child import Child, MakeChild  # noqa: E402
from daemon import Daemon  # noqa: E402
from refusal import REASON  # noqa: E402
from sockwake.config import scope  # noqa: E402
from sockwake.postgres import tls  # noqa: E402
from tree import Tree  # noqa: E402

hypothesis.settings.load_profile("pure")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "soak: takes long")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Count the cases of every property; leave out what is for the soak."""
    if not os.environ.get("SOCKWAKE_SOAK"):
        items[:] = [item for item in items if not item.get_closest_marker("soak")]
    for item in items:
        handle = getattr(getattr(item, "obj", None), "hypothesis", None)
        if handle and not hasattr(handle.inner_test, "__wrapped__"):
            handle.inner_test = fuzz.counted(handle.inner_test)


@pytest.fixture(scope="session", autouse=True)
def figures_of_the_run(record_testsuite_property: Callable[[str, object], None]) -> Iterator[None]:
    """Write the number of cases into the report."""
    yield
    record_testsuite_property("fuzz cases", fuzz.tried)


@pytest.fixture(autouse=True)
def no_tree_of_another_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hints name the tree of the command line, which a test runs in this process."""
    monkeypatch.setattr(scope, "tree", "")


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """An empty system tree with sockwake's units installed in it."""
    return Tree(tmp_path / "tree")


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A socket that listens on a free port of 127.0.0.1."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as sock:
        yield sock


@pytest.fixture
def failure(tmp_path: Path) -> Path:
    """The file with the reason why a wake failed."""
    path = tmp_path / "failure"
    path.write_text(f"{REASON}\n")
    return path


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    with Daemon(str(tmp_path / "engine.sock")) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate and its key, in files."""
    paths = tmp_path / "server.crt", tmp_path / "server.key"
    for path, text in zip(paths, tls.self_signed(["127.0.0.1"])):
        path.write_text(text)
        path.chmod(0o600)
    return paths


@pytest.fixture
def start() -> Iterator[MakeChild]:
    """start(ARGV...) starts a child process, `sleep` by default."""
    known: list[Child] = []

    def make(*argv: str) -> Child:
        known.append(subprocess.Popen(argv or ("sleep", "100"), stdout=subprocess.PIPE))
        return known[-1]

    yield make
    for child in known:
        child.kill()
        child.communicate()
