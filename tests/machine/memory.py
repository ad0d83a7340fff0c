"""A machine's disk as a file in memory: quicker than the host's, and a file system as on a disk.

The kernel takes the file's mount away with the machine. The file stays until that is removed, in
/dev/shm/machine-…-NAME.INODE, where `image` in the machine's folder leads.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import cgroup
import guest
from failure import Failure
from guest import Machine

PLACE = Path("/dev/shm")

# Bytes, to put the disk of one there: it takes one or two GB, and several may boot at once.
FREE = 10 << 30
SIZE = 8 << 30  # with holes

# No table of inodes is to be zeroed beside the tests.
MKFS = ["mkfs.ext4", "-q", "-m", "0", "-i", "32768", "-E", "lazy_itable_init=1,nodiscard"]


def has_room() -> bool:
    """Whether there is memory for a machine's disk, and no control group of a guest counts it.

    Where the host's memory controller is a guest's, too, a container with a limit would be killed
    for the files that it writes.
    """
    if not PLACE.is_mount() or not shutil.which(MKFS[0]):
        return False
    if "memory" in (cgroup.top() / "cgroup.controllers").read_text().split():
        return False
    lines = Path("/proc/meminfo").read_text().splitlines()
    available = next(int(line.split()[1]) * 1024 for line in lines if "MemAvailable" in line)
    return min(available, shutil.disk_usage(PLACE).free) >= FREE


def make(machine: Machine, seeds: list[tuple[str, Path | None]]) -> None:
    """Make the disk of a new machine, which stage.sh mounts, and fills when that is the first time.

    seeds: (folder of the machine, what is copied there; an empty one when None).
    """
    path = PLACE / f"{guest.unit(machine.name)}.{machine.state.stat().st_ino}"
    (machine.state / "image").symlink_to(path)
    with path.open("xb") as file:
        os.fchmod(file.fileno(), 0o600)
        file.truncate(SIZE)
    done = subprocess.run([*MKFS, path], check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise Failure(f"cannot make a file system in {path}: {done.stderr.strip()}")
    (machine.state / "disk").mkdir()
    for name in guest.WRITTEN:
        (machine.state / name).symlink_to(f"disk/{name}")
    lines = [f"{target} {source or '-'}\n" for target, source in seeds]
    (machine.state / "seeds").write_text("".join(lines))
