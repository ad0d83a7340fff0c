"""Processes of the host, and which unit's they are: its cgroup tells."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


def every() -> Iterator[int]:
    """All there are."""
    return map(int, filter(str.isdigit, os.listdir("/proc")))


def cgroup(pid: int) -> str:
    """Its cgroup in the second hierarchy, "" when it has ended."""
    try:
        with open(f"/proc/{pid}/cgroup", encoding="utf-8", errors="replace") as file:
            return next((line[3:].rstrip("\n") for line in file if line.startswith("0::")), "")
    except OSError:
        return ""


def is_within(inner: str, outer: str) -> bool:
    """Whether a cgroup is another, or below it; nothing is within none."""
    return bool(outer) and (inner == outer or inner.startswith(f"{outer}/"))
