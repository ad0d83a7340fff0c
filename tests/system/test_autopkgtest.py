"""debian/tests as Debian runs them: by autopkgtest(1), on the package under test."""

from __future__ import annotations

from pathlib import Path

import pytest

from manual import SOURCE
from package import DEB, install, is_installed
from program import run
from soak import SOAK

CHEAP = ("cli", "wake")
ALL = (*CHEAP, "upgrade", "purge")
WHERE_NOTHING_IS_REVERTED = "isolation-container,isolation-machine"

pytestmark = [
    pytest.mark.skipif(not DEB, reason="SOCKWAKE_DEB= names no package to install"),
    pytest.mark.usefixtures("machine"),
]


def test_autopkgtest_passes(tmp_path: Path) -> None:
    names = ALL if SOAK else CHEAP
    chosen = [f"--test-name={name}" for name in names]
    argv = ["autopkgtest", *chosen, f"--ignore-restrictions={WHERE_NOTHING_IS_REVERTED}"]
    out = tmp_path / "out"
    argv += [f"--output-dir={out}", "--no-built-binaries", DEB, f"{SOURCE}/", "--", "null"]
    try:
        ran = run(*argv, cwd=str(tmp_path), timeout=400)
        ran.expect(0)
        results = dict(line.split()[:2] for line in (out / "summary").read_text().splitlines())
        assert results == dict.fromkeys(names, "PASS"), ran
    finally:
        if not is_installed():
            install(DEB)
