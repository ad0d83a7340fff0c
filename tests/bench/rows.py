"""One line of the table, and those that are made alike. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    """One line of the table. passed is None where nothing is required."""

    what: str
    figure: str
    spread: str = ""
    bound: str = ""
    passed: bool | None = None

    @property
    def verdict(self) -> str:
        return {None: "", True: "PASS", False: "FAIL"}[self.passed]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def timed(what: str, samples: Sequence[float], most: float = 0) -> Row:
    """most: milliseconds that the median may be, 0 for any."""
    middle = statistics.median(samples)
    spread = f"{span(samples, 'ms')}, n = {len(samples)}"
    bound = f"≤ {most:.0f} ms" if most else ""
    return Row(what, f"{middle:.0f} ms", spread, bound, middle <= most if most else None)


def ratio(what: str, ratio: float, bound: float) -> Row:
    return Row(what, f"{ratio:.3f} ×", bound=f"≤ {bound:g} ×", passed=ratio <= bound)


def zero(what: str, count: int) -> Row:
    return Row(what, str(count), bound="0", passed=count == 0)


def span(samples: Sequence[float], unit: str, digits: int = 0) -> str:
    """From the 10th to the 90th percentile; from the least to the most when there are few."""
    ordered = sorted(samples)
    if len(ordered) >= 10:
        tenths = statistics.quantiles(ordered, n=10, method="inclusive")
        low, high = tenths[0], tenths[-1]
    else:
        low, high = ordered[0], ordered[-1]
    return f"{low:.{digits}f}–{high:.{digits}f} {unit}"
