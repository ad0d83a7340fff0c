"""Programs from PyPI that Debian lacks: pinned by hash, a folder for each list."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import cache
from failure import Failure
from store import folder

INSTALL_TIMEOUT_S = 300
_PIP = ["/usr/bin/python3", "-m", "pip", "--disable-pip-version-check", "--no-input"]
_INSTALL = ["install", "--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:"]


def installed(requirements: Path) -> Path:
    """The folder that holds what a list of requirements names, programs in its bin/.

    The list has pip's format, with a hash for each file. Installed once; pip takes its index from
    the host's configuration. Raises Failure when that does not work.
    """
    if not requirements.is_file():
        raise Failure(f"there is no list of requirements {requirements}")
    key = hashlib.sha256(requirements.read_bytes()).hexdigest()[: cache.KEY_LENGTH]
    return cache.kept(f"wheels-{requirements.stem}", key, lambda path: _install(requirements, path))


def _install(requirements: Path, path: Path) -> None:
    log = folder() / "trees" / f"wheels-{requirements.stem}.log"
    argv = [*_PIP, *_INSTALL, f"--target={path}", f"--requirement={requirements}"]
    with log.open("w") as output:
        done = subprocess.run(
            argv,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=INSTALL_TIMEOUT_S,
        )
    if done.returncode != 0:
        said = log.read_text().strip().splitlines() or [f"status {done.returncode}"]
        raise Failure(f"pip could not install {requirements}: {said[-1]}", f"see {log}")
