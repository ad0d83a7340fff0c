"""The servers that are at work on one cluster, whatever runs them: never two."""

from __future__ import annotations

import os
from pathlib import Path

from sockwake.system import pids


def servers(cluster: Path, process: str = "") -> list[int]:
    """Their main processes, or those of one kind as ps(1) has it, by their working directory."""
    found = {}
    for pid in pids.every():
        try:
            if os.path.samefile(f"/proc/{pid}/cwd", cluster):
                parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]
                found[pid] = int(parent), Path(f"/proc/{pid}/cmdline").read_text()
        except OSError:
            continue
    if process:
        return [pid for pid, (_, words) in found.items() if process in words]
    return [pid for pid, (parent, _) in found.items() if parent not in found]
