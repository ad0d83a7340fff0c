"""The process that holds one machine up, as long as it lives; started by guest.py.

It holds the machine's lock, so that a lock that can be had means a machine that is down.
usage: keeper.py STATE PARENT NSPAWN-ARGUMENT…   (PARENT: a pidfd to die with, or -1)
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import cgroup  # noqa: E402
import guest  # noqa: E402
import leash  # noqa: E402

# What systemd-nspawn --keep-unit exits with when its guest wants to be rebooted.
REBOOT = 133


def main(state: Path, parent: int, arguments: list[str]) -> None:
    """Run the machine until it is switched off, killed, or its parent is gone."""
    home = _settle(state)
    status = REBOOT
    orphaned = False
    while status == REBOOT and not orphaned:
        status, orphaned = _one_life(state, home, parent, arguments)
    cgroup.remove(home / "guest")
    if not home.name.endswith(".scope"):
        cgroup.enter(home.parent)
        cgroup.remove(home)
    if orphaned:
        guest.remove(state)
    else:
        (state / "ended").write_text("killed\n" if status else "switched off\n")


def _settle(state: Path) -> Path:
    """Take a place in the cgroup tree and tell the others where."""
    home = cgroup.own()
    if not home.name.endswith(".scope"):
        # No systemd here that gave this process a scope of its own.
        home = Path((state / "cgroup").read_text().strip())
        cgroup.remove(home)
        home.mkdir()
    (state / "cgroup").write_text(f"{home}\n")
    cgroup.enter(home / "keeper")
    cgroup.delegate(home)
    return home


def _one_life(state: Path, home: Path, parent: int, arguments: list[str]) -> tuple[int, bool]:
    """From power on to power off. Returns nspawn's status and whether the parent died."""
    (home / "guest").mkdir(exist_ok=True)
    lower = state.parent.parent / "trees" / (state / "tree").read_text().strip()
    # Each link of the chain dies with the one before it: keeper, unshare, stage.sh, guest.
    argv = [*leash.ARGV, str(HERE / "stage.sh"), str(lower), str(state)]
    argv += [str(home.relative_to(cgroup.top())), *arguments]
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL) as child:
        end = os.pidfd_open(child.pid)
        ready, _, _ = select.select([end] if parent < 0 else [end, parent], [], [])
        orphaned = end not in ready
        if orphaned:
            child.kill()
        os.close(end)
    cgroup.remove(home / "guest")
    return child.returncode, orphaned


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
    except BaseException:
        # Down, but not garbage: its console log may be read.
        (Path(sys.argv[1]) / "ended").write_text("keeper failed\n")
        raise
