"""The images of sockwake, as its commands and its directory show them."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from program import Ran, must, run

PLACE = Path("/var/lib/sockwake/images")
BUNDLES = Path("/var/lib/sockwake/bundles")
SHIPPED = Path("/usr/share/sockwake/images")
TAKE = """
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, "/usr/share/sockwake")
from sockwake.config import scope
scope.choose(user=bool(sys.argv[2:]))
if scope.is_user():
    from sockwake.engine import rootless
    rootless.enter()
from sockwake.oci import store
print(store.take(sys.argv[1], quiet=True).digest)
"""


@contextmanager
def mounted(size: str) -> Iterator[None]:
    """A store of its own for a test, on a file system of so many bytes."""
    PLACE.mkdir(mode=0o700, parents=True, exist_ok=True)
    must("mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "images", str(PLACE))
    try:
        yield
    finally:
        must("umount", str(PLACE))


def images(*arguments: str) -> Ran:
    """sockwake images …"""
    return run("sockwake", "images", *arguments, timeout=120)


def rows() -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = json.loads(images("ls", "--json").expect(0).out)
    return listed


def rows_of(root: str) -> list[dict[str, Any]]:
    """The images of a system tree."""
    listed: list[dict[str, Any]] = json.loads(images("ls", "--json", "--root", root).expect(0).out)
    return listed


def digests() -> set[str]:
    return {str(row["digest"]) for row in rows()}


def take(source: str) -> str:
    """Take an image as sockwake-new does; its digest."""
    return must("python3", "-I", "-c", TAKE, source, timeout=120).strip()


def place_of(digest: str) -> Path:
    return PLACE / digest.removeprefix("sha256:")


def rootfs(digest: str) -> Path:
    return place_of(digest) / "rootfs"


def left() -> list[str]:
    """What is in the store beside images."""
    return [path.name for path in PLACE.iterdir() if path.name.startswith(".")]


@contextmanager
def needed(digest: str, *names: str) -> Iterator[None]:
    """Instances that need an image, as far as the store sees them."""
    for name in names:
        (BUNDLES / name).mkdir(parents=True)
        (BUNDLES / name / "image").write_text(f"{digest}\n")
    try:
        yield
    finally:
        for name in names:
            (BUNDLES / name / "image").unlink()
            (BUNDLES / name).rmdir()
        if not list(BUNDLES.iterdir()):
            BUNDLES.rmdir()


def described(top: Path) -> dict[str, tuple[str, int, int, str]]:
    """Mode, owner, group and contents (or target) of everything below a directory."""
    found = {}
    for path in sorted(top.rglob("*")):
        status = path.lstat()
        if path.is_symlink():
            inside = os.readlink(path)
        else:
            inside = path.read_text() if path.is_file() else ""
        mode = stat.filemode(status.st_mode)
        found[str(path.relative_to(top))] = (mode, status.st_uid, status.st_gid, inside)
    return found
