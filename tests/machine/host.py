"""What the host has to have, and how it gets it."""

from __future__ import annotations

import os
import shutil
import subprocess

from failure import Failure

# program -> package; everything else used here is essential in Debian
NEEDED = {"mmdebstrap": "mmdebstrap", "systemd-nspawn": "systemd-container"}


def missing() -> list[str]:
    """Packages of NEEDED that are not installed."""
    return [package for program, package in NEEDED.items() if not shutil.which(program)]


def need(program: str) -> None:
    """Failure when a program of NEEDED is not there."""
    if not shutil.which(program):
        raise Failure(f"this host lacks {NEEDED[program]}", "run: machine setup")


def setup() -> None:
    """Install what is missing. The package lists are fetched only if that does not work."""
    packages = missing()
    if packages and not _apt("install", *packages):
        _apt("update")
        _apt("install", *packages)
    if still := missing():
        raise Failure(f"cannot install {' and '.join(still)}", "apt-get says why above")


def _apt(verb: str, *packages: str) -> bool:
    argv = ["apt-get", verb, "--yes", "--no-install-recommends", *packages]
    if verb == "update":
        argv = ["apt-get", verb]
    env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    return subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=2, env=env).returncode == 0
