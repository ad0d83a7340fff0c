"""The package under test, and apt."""

from __future__ import annotations

import os

from program import must

DEB = os.environ.get("SOCKWAKE_DEB", "")


def apt(*arguments: str) -> str:
    return must(
        "apt-get",
        "--assume-yes",
        "--quiet",
        *arguments,
        env={"DEBIAN_FRONTEND": "noninteractive"},
        timeout=120,
    )
