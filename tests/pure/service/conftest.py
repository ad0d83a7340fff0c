"""What the tests of the programs share."""

from pathlib import Path

import pytest

from refusal import REASON


@pytest.fixture
def failure(tmp_path: Path) -> Path:
    """The file with the reason why a wake failed."""
    path = tmp_path / "failure"
    path.write_text(f"{REASON}\n")
    return path
