"""Copying files in and out through tar: the guest's symbolic links lead inside the guest."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path, PurePosixPath

import session
from failure import Failure
from guest import Machine


def push(machine: Machine, sources: list[Path], folder: str) -> None:
    """Copy files and folders into a folder of the guest, made when missing; root owns them."""
    for source in sources:
        if not os.path.lexists(source):
            raise Failure(f"there is no {source} to push")
    unpack = 'mkdir -p "$0" && exec tar --extract --no-same-owner --directory="$0"'
    argv = ["tar", "--create", "--owner=0", "--group=0"]
    for source in sources:
        place = Path(os.path.abspath(source))
        argv += [f"--directory={place.parent}", f"./{place.name}"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as pack:
        assert pack.stdout is not None
        there = session.start(machine, ["sh", "-c", unpack, folder], stdin=pack.stdout.fileno())
        pack.stdout.close()
        _, wrong_there = there.communicate()
        _, wrong_here = pack.communicate()
    if pack.returncode != 0 or there.returncode != 0:
        raise Failure(f"cannot push to {folder} of '{machine.name}': {wrong_here or wrong_there}")


def pull(machine: Machine, source: str, target: Path) -> None:
    """Copy one file or folder out, as cp would: into `target` if that is a folder."""
    place = PurePosixPath(source)
    into = target if target.is_dir() else target.parent
    if not into.is_dir():
        raise Failure(f"there is no folder {into} to pull to")
    final = into / place.name if target.is_dir() else target
    command = ["tar", "--create", f"--directory={place.parent}", f"./{place.name}"]
    with tempfile.TemporaryDirectory(dir=into, prefix=".pull-") as passage:
        there = session.start(machine, command, stdout=subprocess.PIPE)
        assert there.stdout is not None
        unpack = ["tar", "--extract", "--no-same-owner", f"--directory={passage}"]
        here = subprocess.run(
            unpack, check=False, stdin=there.stdout, capture_output=True, text=True
        )
        _, wrong_there = there.communicate()
        if there.returncode != 0 or here.returncode != 0:
            said = (wrong_there or here.stderr).strip()
            raise Failure(f"cannot pull {source} from '{machine.name}': {said}")
        if final.is_dir() and not final.is_symlink():
            shutil.rmtree(final)
        (Path(passage) / place.name).rename(final)
