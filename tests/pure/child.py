"""Child processes that a test may stop and end."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from sockwake.system import pids

Child = subprocess.Popen[bytes]
MakeChild = Callable[..., Child]


def await_rest(pid: int) -> None:
    """Until a process waits for something, and has not run for a moment, on a busy machine, too."""
    before: tuple[int, int] | None = None
    deadline = time.monotonic() + 30
    while not _is_waiting(pid) or pids.switches(pid) != before:
        assert time.monotonic() < deadline, "it goes on running"
        before = pids.switches(pid)
        time.sleep(0.1)


def _is_waiting(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].startswith("S")


def is_unhurt(child: Child) -> bool:
    """Whether a child still runs, a moment later."""
    time.sleep(0.1)
    return child.poll() is None and not pids.is_stopped(child.pid)
