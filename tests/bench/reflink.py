"""A file system whose files can share their blocks: a btrfs on a loop device of the guest.

guests.py has made it, as a file.
"""

from __future__ import annotations

import os

from traces import run

DISK = "/root/reflink.tar.gz"
PLACE = "/srv/reflink"


def mount() -> None:
    """Have it at PLACE, where it may be already."""
    if os.path.ismount(PLACE):
        return
    os.makedirs(PLACE, exist_ok=True)
    run("tar", "-C", "/root", "-xSf", DISK)
    for number in range(8):
        if not os.path.exists(f"/dev/loop{number}"):
            run("mknod", f"/dev/loop{number}", "b", "7", f"{number}")
    if not os.path.exists("/dev/loop-control"):
        run("mknod", "/dev/loop-control", "c", "10", "237")
    run("mount", "-o", "loop", "/root/disk", PLACE)
