"""Other file systems of one image: its files where a machine only reads, or in an extension."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from clone import NO_NETWORK

IMAGES = "share/sockwake/images"
_EXTENSION = "var/lib/extensions/sockwake"
_SYSEXT = "systemd-sysext.service"
# systemd reads its units when they are merged; what a target wants is settled by then
_RELEASE = "ID=_any\nEXTENSION_RELOAD_MANAGER=1\n"
_OPENED = "[Unit]\nUpholds=pg-proxy@shop.socket\n"


def shipped(image: Path, place: Path) -> Path:
    """A copy of a tree that has its container images in /usr, made of hard links below place."""
    tree = place / "shipped"
    subprocess.run(["cp", "--archive", "--link", str(image), str(tree)], check=True)
    (tree / "bench").mkdir()  # mount points, as the machine's root may be read-only
    (tree / NO_NETWORK.lstrip("/")).touch()
    (tree / "var/lib/sockwake/images").rename(tree / "usr" / IMAGES)
    return tree


def extended(image: Path, deb: Path, place: Path) -> Path:
    """The same with nothing of the package in its /usr: that is in an extension of the system."""
    tree = shipped(image, place)
    extension = tree / _EXTENSION
    extension.parent.mkdir(exist_ok=True)
    subprocess.run(["dpkg-deb", "--extract", str(deb), str(extension)], check=True)
    shutil.rmtree(extension / "etc")
    (tree / "usr" / IMAGES).rename(extension / "usr" / IMAGES)
    for path in extension.joinpath("usr").rglob("*"):
        if not path.is_dir() or path.is_symlink():
            (tree / path.relative_to(extension)).unlink(missing_ok=True)
    shutil.rmtree(tree / "usr/share/sockwake")
    files = {
        "lib/extension-release.d/extension-release.sockwake": _RELEASE,
        "lib/systemd/system/multi-user.target.d/shop.conf": _OPENED,
    }
    for name, text in files.items():
        path = extension / "usr" / name
        path.parent.mkdir(parents=True)
        path.write_text(text)
    wanted = tree / "etc/systemd/system/sysinit.target.wants" / _SYSEXT
    wanted.symlink_to(f"/usr/lib/systemd/system/{_SYSEXT}")
    return tree
