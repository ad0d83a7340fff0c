"""Ring 1: no root, no systemd, no network, seconds. Real files, sockets and programs; nothing is mocked."""

import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

SOURCE = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(SOURCE))

from daemon import Daemon  # noqa: E402
from tree import Tree  # noqa: E402

# no deadline: these tests prove what comes out, never how fast
hypothesis.settings.register_profile("pure", deadline=None, print_blob=True)
hypothesis.settings.load_profile("pure")


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """An empty system tree with sockwake's units installed in it."""
    return Tree(tmp_path / "tree")


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    with Daemon(str(tmp_path / "engine.sock")) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()
