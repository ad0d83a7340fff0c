"""Which cases of a test are for the soak alone."""

from __future__ import annotations

import os

import pytest

SOAK = bool(os.environ.get("SOCKWAKE_SOAK"))


def only_in_soak(*cases: object) -> list[object]:
    """Values for pytest.mark.parametrize that show of another kind what is shown of one already."""
    return [pytest.param(case, marks=pytest.mark.soak) for case in cases]
