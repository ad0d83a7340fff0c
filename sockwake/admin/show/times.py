"""Moments and spans of time for JSON and for a terminal.

All that is noted of an instance is in seconds since the boot, so that no change of the clock moves
it. Here such a moment becomes a time of day, for display alone: nothing is decided by it.
"""

from __future__ import annotations

import time

from sockwake.config.timespan import INFINITY
from sockwake.lifecycle import wakes

_LIMITS = ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h"))  # below: seconds in each, unit
_DAY = 86_400  # seconds


def from_monotonic(seconds: float) -> float:
    """A moment of CLOCK_MONOTONIC, as systemd and the monitor of the clients note it, since boot.

    They differ where the machine was suspended.
    """
    return wakes.now() - (time.monotonic() - seconds)


class Moment(int):
    """A moment as JSON has it, in seconds since 1970. at: in seconds since the boot."""

    at: float

    def __new__(cls, at: float) -> Moment:
        self = super().__new__(cls, time.time() + at - wakes.now())
        self.at = at
        return self


def moment(at: float | None) -> Moment | None:
    """The Moment of a time in seconds since the boot; None for None and for infinity."""
    return None if at is None or at == INFINITY else Moment(at)


def ago(past: Moment) -> str:
    """How long ago a moment was, as a span()."""
    return span(max(wakes.now() - past.at, 0.0))


def until(coming: Moment) -> str:
    """When a moment will be: "in 3min", or "now"."""
    left = coming.at - wakes.now()
    return f"in {span(left)}" if left >= 1 else "now"


def span(seconds: float) -> str:
    """A time span in one unit: 95s, 87min, 31h, 12d."""
    for limit, unit, name in _LIMITS:
        if seconds < limit:
            return f"{seconds // unit:.0f}{name}"
    return f"{seconds // _DAY:.0f}d"
