"""Where everything is kept, and locks on it. Light: `machine run` loads it every time."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from failure import Failure

VARIABLE = "MACHINE_CACHE"
DEFAULT = "/var/cache/test-machine"


def folder() -> Path:
    """Where trees and machines are kept; made when missing."""
    path = Path(os.environ.get(VARIABLE) or DEFAULT)
    if not path.is_absolute() or ":" in str(path) or "," in str(path):
        raise Failure(f"{VARIABLE} is '{path}': use an absolute path without ':' and ','")
    for name in ("trees", "machines", "view"):
        (path / name).mkdir(parents=True, exist_ok=True)
    return path


@contextmanager
def locked(path: Path, holder: str, timeout_s: float) -> Iterator[None]:
    """Hold an exclusive lock on a file; Failure when it cannot be had in time."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + timeout_s
    try:
        while not try_lock(descriptor, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                raise Failure(f"waited {timeout_s:.0f} s for {holder} ({path} is locked)")
            time.sleep(0.05)
        yield
    finally:
        os.close(descriptor)


def try_lock(descriptor: int, kind: int) -> bool:
    """Take a lock if that is possible at once."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
