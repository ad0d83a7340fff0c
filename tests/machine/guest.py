"""Machines: made of a tree, held up by a keeper, known by their folder below machines/.

machines/NAME/tree       name of the tree below trees/, or the path of another
              binds      SRC:DST per line, seen read-only in the guest
              options    more options of systemd-nspawn, one per line
              cgroup     where the guest's processes are
              lock       held by the process that makes or keeps the machine
              ended      there when the machine went down in an orderly way
              upper/ work/ root/   the overlay   real/   what must not lie on an overlay
              places     the names in real/, one per line
              image      leads to its disk, when that is in memory (memory.py); then there are
              disk/      where it is mounted, with upper/ work/ real/, which are links
              seeds      what is copied to the disk at the first start
              console.log
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from pathlib import Path

import cgroup
import store
from failure import Failure

NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")
WRITTEN = ("upper", "work", "real")


class Machine:
    """One machine, whether it exists or not."""

    def __init__(self, name: str) -> None:
        if not NAME.fullmatch(name):
            rule = "use up to 31 lower-case letters, digits and '-', starting with a letter"
            raise Failure(f"machine name '{name}' is not valid: {rule}")
        self.name = name

    @property
    def state(self) -> Path:
        """The folder that is the machine."""
        return store.folder() / "machines" / self.name

    @property
    def console(self) -> Path:
        """What the guest wrote to its console."""
        return self.state / "console.log"

    @property
    def home(self) -> Path:
        """The machine's cgroup on the host."""
        return Path((self.state / "cgroup").read_text().strip())

    @property
    def has_engines(self) -> bool:
        """Whether it is a machine of this tool's, with Docker, and no other tree as it is."""
        return "docker" in self.places

    @property
    def places(self) -> list[str]:
        """The names of what lies on no overlay."""
        return (self.state / "places").read_text().split()

    def status(self) -> str:
        """'running', 'stopped' (in an orderly way), 'stale' (its keeper died) or 'absent'."""
        try:
            descriptor = os.open(self.state / "lock", os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return "stale" if self.state.is_dir() else "absent"
        try:
            if not store.try_lock(descriptor, fcntl.LOCK_SH):
                return "running"
        finally:
            os.close(descriptor)
        return "stopped" if (self.state / "ended").exists() else "stale"

    def pid(self) -> int | None:
        """The guest's process 1, by the host's count, if there is one."""
        with contextlib.suppress(FileNotFoundError):
            return cgroup.first_process(self.home)
        return None

    def first_process(self) -> int:
        """The guest's process 1, by the host's count. Failure when the guest is not up."""
        if pid := self.pid():
            return pid
        raise self.not_running()

    def not_running(self) -> Failure:
        """The error for a machine that is needed up and is not."""
        status = self.status()
        hints = {
            "absent": f"make it: machine boot {self.name}",
            "stopped": f"bring it up again: machine start {self.name}",
            "running": "it is just starting or stopping",
        }
        word = "not up" if status == "running" else status
        return Failure(f"machine '{self.name}' is {word}", hints.get(status))


def every() -> list[Machine]:
    """All machines there are, up or down."""
    folders = (store.folder() / "machines").iterdir()
    return [Machine(name) for name in sorted(f.name for f in folders) if NAME.fullmatch(name)]


def unit(name: str) -> str:
    """A machine's name among all that is on the host: other caches have machines too."""
    place = os.stat(store.folder() / "machines")
    return f"machine-{place.st_dev:x}-{place.st_ino:x}-{name}"


def remove(state: Path) -> None:
    """Remove the folder of a machine that is down, and its disk."""
    import shutil  # `machine run` has to cost next to nothing

    with contextlib.suppress(OSError):
        (state / "image").resolve(strict=True).unlink()
    shutil.rmtree(state, ignore_errors=True)
