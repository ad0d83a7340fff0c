"""The part of the host's cgroup v2 tree that belongs to one machine.

machine-…/keeper     what holds the machine up: keeper.py, unshare, stage.sh
machine-…/guest      systemd-nspawn, and below payload/ the guest's own tree
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from pathlib import Path

from failure import Failure

# A guest's process outside all of its units: systemd neither counts nor cleans it.
VISITORS = "guest/payload/machine.visitors"

REMOVE_TIMEOUT_S = 5.0


def top() -> Path:
    """Where the host has cgroup v2 mounted."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, after = line.split(" - ", 1)
        if after.split()[0] == "cgroup2":
            return Path(before.split()[4])
    raise Failure(
        "this host has no cgroup v2 mounted",
        "mount one: mkdir /sys/fs/cgroup/unified && mount -t cgroup2 none /sys/fs/cgroup/unified",
    )


def own() -> Path:
    """The cgroup this process is in."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        if line.startswith("0::"):
            return top() / line[3:].lstrip("/")
    raise Failure("this process is in no cgroup v2")


def enter(path: Path, pid: int = 0) -> None:
    """Move a process, by default this one, making the cgroup when there is none."""
    path.mkdir(exist_ok=True)
    (path / "cgroup.procs").write_text(str(pid))


def delegate(path: Path) -> None:
    """Offer every controller there is to the cgroups below; some hosts have none to give."""
    for controller in (path / "cgroup.controllers").read_text().split():
        with contextlib.suppress(OSError):
            (path / "cgroup.subtree_control").write_text(f"+{controller}")


def kill(path: Path) -> None:
    """Send SIGKILL to everything below at once, as a power cut would."""
    try:
        (path / "cgroup.kill").write_text("1")
    except OSError as error:
        # Both say that another process has just removed it.
        if error.errno not in (errno.ENOENT, errno.ENODEV):
            raise


def remove(path: Path) -> None:
    """Kill what is left below and remove the cgroup. Nothing happens if there is none."""
    deadline = time.monotonic() + REMOVE_TIMEOUT_S
    while path.is_dir():
        kill(path)
        folders = [Path(folder) for folder, _, _ in os.walk(path, topdown=False)]
        try:
            for folder in folders:
                folder.rmdir()
        except FileNotFoundError:
            continue
        except OSError as error:
            if time.monotonic() > deadline:
                raise Failure(f"cannot remove cgroup {path}: {error.strerror}") from error
            time.sleep(0.01)


def remove_empty(path: Path) -> None:
    """Remove a cgroup without processes; any other belongs to a machine of that name elsewhere."""
    with contextlib.suppress(OSError):
        if "populated 0" in (path / "cgroup.events").read_text():
            remove(path)


def first_process(path: Path) -> int | None:
    """The process 1 of the guest below, by the host's count; None while there is none."""
    scope = path / "guest/payload/init.scope/cgroup.procs"
    with contextlib.suppress(OSError):
        for pid in scope.read_text().split():
            for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                if line.startswith("NSpid:") and line.split()[-1] == "1":
                    return int(pid)
    return None
