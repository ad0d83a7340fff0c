"""What the host has to have, and how it gets it."""

from __future__ import annotations

import os
import shutil
import subprocess

from failure import Failure

# program -> package; everything else used here is essential in Debian
NEEDED = {"mmdebstrap": "mmdebstrap", "systemd-nspawn": "systemd-container"}
NEEDED_BY_TESTS = {"/usr/bin/pytest-3": "python3-pytest", "/usr/bin/pip3": "python3-pip"}


def missing(needed: dict[str, str]) -> list[str]:
    """Packages that are not installed."""
    return [package for program, package in needed.items() if not shutil.which(program)]


def need(program: str) -> None:
    """Failure when a program of NEEDED is not there."""
    if not shutil.which(program):
        raise Failure(f"this host lacks {NEEDED[program]}", "run: machine setup")


def setup(tests: bool = False) -> None:
    """Install what is missing. The package lists are fetched only if that does not work."""
    needed = NEEDED | (NEEDED_BY_TESTS if tests else {})
    packages = missing(needed)
    if packages and not _apt("install", *packages):
        _apt("update")
        _apt("install", *packages)
    if still := missing(needed):
        raise Failure(f"cannot install {' and '.join(still)}", "apt-get says why above")


def _apt(verb: str, *packages: str) -> bool:
    argv = ["apt-get", verb, "--yes", "--no-install-recommends", *packages]
    if verb == "update":
        argv = ["apt-get", verb]
    env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    return (
        subprocess.run(argv, check=False, stdin=subprocess.DEVNULL, stdout=2, env=env).returncode
        == 0
    )
