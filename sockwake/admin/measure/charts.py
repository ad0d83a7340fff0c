"""Pictures of a report in SVG, as text: when each instance was awake, how long wakes took."""

import time
from collections.abc import Callable, Sequence
from html import escape
from itertools import pairwise

from sockwake.admin.measure import words
from sockwake.admin.measure.report import Measured, Report

# seconds; those of the histogram that `sockwake metrics` has, too
BUCKETS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 2, 5, 10, 30, 60)
_WIDTH, _LEFT, _RIGHT = 960, 150, 16  # px
_ROW, _TOP, _BOTTOM = 22, 8, 30
_BAR_HEIGHT = 160
_NARROWEST = 1.2  # px of a spell, so that it is seen
_STEPS = (60, 300, 900, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 86400, 2 * 86400, 7 * 86400)
_MOST_TICKS = 9
_LONGEST_NAME = 20  # letters beside a row

_STYLE = (
    "<style>text{font:12px system-ui,sans-serif;fill:#444}.awake{fill:#2a6fb0}"
    ".asleep{fill:#e4e9ee}.off{fill:#fff}.grid{stroke:#c8d0d8;stroke-width:1}"
    "@media (prefers-color-scheme:dark){text{fill:#bbb}.awake{fill:#6db3f2}"
    ".asleep{fill:#2b3138}.off{fill:#111417}.grid{stroke:#444c55}}</style>"
)


def timeline(report: Report) -> str:
    """A row for each instance, dark where it was awake."""
    height = _TOP + _ROW * len(report.instances) + _BOTTOM
    span = max(report.until - report.since, 1)
    scale = (_WIDTH - _LEFT - _RIGHT) / span

    def x(at: float) -> float:
        return _LEFT + (min(max(at, report.since), report.until) - report.since) * scale

    drawn = [_opened(height, "when each instance was awake")]
    for number, one in enumerate(report.instances):
        drawn += _row(one, report, _TOP + _ROW * number, x)
    bottom = height - _BOTTOM
    for at in ticks(report.since, report.until):
        drawn.append(
            f'<line class="grid" x1="{x(at):.1f}" x2="{x(at):.1f}" y1="{_TOP}" y2="{bottom + 4}"/>'
            f'<text x="{x(at):.1f}" y="{bottom + 18}" text-anchor="middle">{_tick(at, span)}</text>'
        )
    return "".join([*drawn, "</svg>"])


def _opened(height: int, label: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-label="{label}">{_STYLE}'
    )


def _row(one: Measured, report: Report, top: int, x: Callable[[float], float]) -> list[str]:
    name = one.name if len(one.name) <= _LONGEST_NAME else f"{one.name[: _LONGEST_NAME - 1]}…"
    share = f"{100 * one.asleep / one.seconds:.1f} % asleep" if one.seconds else ""
    bars = [(x(since), x(until), "asleep") for since, until in report.up if until > one.began]
    bars = [(max(left, x(one.began)), right, kind) for left, right, kind in bars]
    spells = [(x(each.began), x(each.ended or report.until)) for each in one.spells]
    bars += [(left, right, "awake") for left, right in _joined(spells)]
    drawn = [
        f'<text x="{_LEFT - 8}" y="{top + 15}" text-anchor="end">{escape(name)}</text>',
        f"<g><title>{escape(one.name)}: {share}</title>",
    ]
    for left, right, kind in bars:
        width = max(right - left, _NARROWEST if kind == "awake" else 0)
        drawn.append(
            f'<rect class="{kind}" x="{left:.1f}" y="{top + 3}" width="{width:.1f}" '
            f'height="{_ROW - 6}"/>'
        )
    return [*drawn, "</g>"]


def _joined(spells: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Spells in px, without gaps that could not be seen: a year of wakes is a few hundred bars."""
    found: list[tuple[float, float]] = []
    for left, right in sorted(spells):
        if found and left - found[-1][1] < _NARROWEST / 2:
            found[-1] = (found[-1][0], max(right, found[-1][1]))
        else:
            found.append((left, right))
    return found


def ticks(since: float, until: float) -> list[float]:
    """Round times of the local clock between two moments, a few."""
    span = until - since
    step = next((each for each in _STEPS if span / each <= _MOST_TICKS), span / _MOST_TICKS)
    offset = time.localtime(since).tm_gmtoff
    first = ((since + offset) // step + 1) * step - offset
    found = []
    while first < until:
        found.append(first)
        first += step
    return found


def _tick(at: float, span: float) -> str:
    return time.strftime("%d %b" if span > 3 * 86400 else "%a %H:%M", time.localtime(at))


def counts(wakes: Sequence[float]) -> list[tuple[str, int]]:
    """How many wakes took so long, by the buckets' titles; empty ones at both ends are left out."""
    edges = (0.0, *BUCKETS, float("inf"))
    found = [
        (f"≤ {words.took(high)}" if high < float("inf") else f"> {words.took(low)}", low, high)
        for low, high in pairwise(edges)
    ]
    counted = [(title, sum(low < took <= high for took in wakes)) for title, low, high in found]
    while counted and not counted[-1][1]:
        counted.pop()
    while counted and not counted[0][1]:
        counted.pop(0)
    return counted


def histogram(wakes: Sequence[float]) -> str:
    """A bar for each bucket with wakes, with their number above."""
    counted = counts(wakes)
    most = max((count for _, count in counted), default=1)
    height = _BAR_HEIGHT + 20 + _BOTTOM
    slot = (_WIDTH - 2 * _RIGHT) / max(len(counted), 4)
    drawn = [_opened(height, "how long wakes took")]
    for number, (title, count) in enumerate(counted):
        left, tall = _RIGHT + number * slot, _BAR_HEIGHT * count / most
        middle, top = left + slot / 2, 20 + _BAR_HEIGHT - tall
        drawn.append(
            f'<g><title>{title}: {count}</title><rect class="awake" x="{left + 4:.1f}" '
            f'y="{top:.1f}" width="{slot - 8:.1f}" height="{tall:.1f}"/>'
            f'<text x="{middle:.1f}" y="{top - 5:.1f}" text-anchor="middle">{count or ""}</text>'
            f'<text x="{middle:.1f}" y="{height - 10}" text-anchor="middle">{title}</text></g>'
        )
    return "".join([*drawn, "</svg>"])
