"""The examples of docs/examples, run by their own tools; what they make is booted.

Runs on the host, as root: SOCKWAKE_DEB=dist/sockwake_….deb python3 -m pytest tests/images
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from clone import Clone


@pytest.fixture(scope="session")
def deb() -> Path:
    """The package."""
    if os.geteuid() or "SOCKWAKE_DEB" not in os.environ:
        pytest.skip("needs root, and the package in SOCKWAKE_DEB")
    return Path(os.environ["SOCKWAKE_DEB"]).resolve()


@pytest.fixture
def clone() -> Iterator[Callable[[Path], Clone]]:
    """Machines to be booted from an image; they are gone after the test."""
    made: list[Clone] = []

    def another(image: Path) -> Clone:
        made.append(Clone(image, str(len(made))))
        return made[-1]

    yield another
    for each in made:
        each.stop()
