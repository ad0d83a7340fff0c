"""Ring 1: no root, no systemd, no network, seconds. Real files, sockets and programs; nothing is mocked."""

import sys
from pathlib import Path

import hypothesis
import pytest

SOURCE = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(SOURCE))

from tree import Tree  # noqa: E402

# no deadline: these tests prove what comes out, never how fast
hypothesis.settings.register_profile("pure", deadline=None, print_blob=True)
hypothesis.settings.load_profile("pure")


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """An empty system tree with sockwake's units installed in it."""
    return Tree(tmp_path / "tree")
