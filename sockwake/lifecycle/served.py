"""A PostgreSQL that serves a cluster already, whoever has started it: no lock tells of every one.

One that a container engine runs outlives what has locked its data; an administrator may start one
by hand; and instance.env may name another runtime than the one that has it run.
"""

from __future__ import annotations

import os
import time

from sockwake.config.settings import Settings
from sockwake.errors import IN_USE, SockwakeError
from sockwake.system import files, pids

_PATIENCE, _LOOK_EVERY = 2.0, 0.05  # seconds; one that was killed may take a moment to be gone
_MAY_BE = ("postgres", "postmaster")  # comm of proc(5); a shell may be in the directory, too


def require_not(settings: Settings) -> None:
    """Raise SockwakeError (in use) when a server is at work on the cluster, and does not end."""
    deadline = time.monotonic() + _PATIENCE
    while (pid := server_of(settings)) and time.monotonic() < deadline:
        time.sleep(_LOOK_EVERY)
    if pid:
        raise SockwakeError(
            f"another server is using {settings.cluster}: process {pid}",
            f"what runs it: cat /proc/{pid}/cgroup",
            IN_USE,
        )


def server_of(settings: Settings) -> int:
    """A process of a server that is at work on the cluster, also while it ends; 0 for none.

    A server has its cluster as its working directory, and postmaster.pid in there until its last
    moment; the number in that file is one of its container's. bin/container looks alike.
    """
    if not settings.has_cluster or not os.path.exists(f"{settings.cluster}/postmaster.pid"):
        return 0
    try:
        cluster = os.stat(settings.cluster)
    except OSError:
        return 0
    for pid in pids.every():
        try:
            if not os.path.samestat(os.stat(f"/proc/{pid}/cwd"), cluster):
                continue
        except OSError:  # it has ended, or is out of sight
            continue
        if files.text_of(f"/proc/{pid}/comm").strip() in _MAY_BE:
            return pid
    return 0
