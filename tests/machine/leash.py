"""A program in a mount and pid namespace of its own, that dies with its parent process."""

from __future__ import annotations

from pathlib import Path

import store

CHROOT = str(Path(__file__).resolve().parent / "chroot.sh")

# In front of its command line. What it started and mounted goes with it. unshare itself would pass
# over the signals that end its parent.
ARGV = ["setpriv", "--pdeathsig=KILL", "--"]
ARGV += ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--"]


def in_view(tree: Path, binds: list[str], command: list[str]) -> list[str]:
    """The argv that runs a command in a view of a tree, which ends with it. binds: SRC:DST."""
    return [*ARGV, CHROOT, str(tree), str(store.folder() / "view"), *binds, "--", *command]
