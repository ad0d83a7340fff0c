"""The package under test, and apt."""

from __future__ import annotations

import os
import re
from pathlib import Path

from program import must, run

DEB = os.environ.get("SOCKWAKE_DEB", "")


def install(deb: str) -> None:
    """Install this version, whichever there is."""
    apt("install", "--reinstall", "--allow-downgrades", deb)


def is_installed() -> bool:
    """Whether the installed version is the one under test."""
    version = run("dpkg-query", "--show", "--showformat=${Version}", "sockwake").out
    return version == must("dpkg-deb", "--field", DEB, "Version").strip()


def unpack(tree: Path, suffix: str) -> None:
    """The package under test as a tree, with a higher version."""
    must("dpkg-deb", "--raw-extract", DEB, str(tree))
    control = tree / "DEBIAN/control"
    higher = re.sub(r"^(Version: .*)$", rf"\1{suffix}", control.read_text(), flags=re.MULTILINE)
    control.write_text(higher)


def build(tree: Path, deb: str) -> str:
    """The package made of a tree; returns deb."""
    must("dpkg-deb", "--root-owner-group", "--build", str(tree), deb)
    return deb


def apt(*arguments: str) -> str:
    argv = ("apt-get", "--assume-yes", "--quiet", *arguments)
    return must(*argv, env={"DEBIAN_FRONTEND": "noninteractive"}, timeout=120)
