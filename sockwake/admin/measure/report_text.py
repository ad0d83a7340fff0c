"""A report as text, as what JSON is made of, and as one page of HTML."""

import os
from collections.abc import Sequence

from sockwake.admin import columns, templates
from sockwake.admin.measure import charts, words
from sockwake.admin.measure.report import Measured, Report, median, percentile, whole

_COLUMNS = ("name", "asleep", "wakes", "median", "p95", "failed", "refused", "strangers")
_MEMORY_COLUMNS = ("memory", "page cache")
_BACKUP_COLUMN = "backup"  # when one has any
_TOTAL = "all"
_P95 = 0.95
_ALL_BUT_A_MINUTE = 60  # seconds of which it is not worth saying that they were not measured
MEMORY_NOTE = (
    "Memory: what each had of its own, allocated and shared, when it fell asleep, times the hours "
    "that it slept then. Page cache: what files it had read or written took then; the kernel frees "
    "that when it is needed, asleep or not."
)


def facts(report: Report) -> dict[str, object]:
    """What --json prints."""
    return {
        "since": words.stamp(report.since),
        "until": words.stamp(report.until),
        "instances": [
            {
                "name": one.name,
                **_facts(one),
                "awake": _awake(one, report),
                "last_backup": _last_backup(one, report),
            }
            for one in report.instances
        ],
        "total": _facts(whole(report.instances)),
    }


def _facts(one: Measured) -> dict[str, object]:
    return {
        "seconds": round(one.seconds, 3),
        "asleep_seconds": round(one.asleep, 3),
        "asleep_share": round(one.asleep / one.seconds, 6) if one.seconds else None,
        "wakes": len(one.wakes),
        "wake_median_seconds": median(one.wakes),
        "wake_p95_seconds": percentile(one.wakes, _P95),
        "failures": one.failures,
        "refused_clients": one.refused,
        "strangers": one.strangers,
        "memory_gib_hours": round(words.gib_hours(one.memory), 6),
        "page_cache_gib_hours": round(words.gib_hours(one.cache), 6),
        "memory_unknown_seconds": round(one.unmeasured, 3),
        "page_cache_unknown_seconds": round(one.unmeasured + one.uncached, 3),
    }


def _awake(one: Measured, report: Report) -> list[list[str]]:
    """From when to when it was awake."""
    return [
        [words.stamp(spell.began), words.stamp(spell.ended or report.until)] for spell in one.spells
    ]


def _last_backup(one: Measured, report: Report) -> str | None:
    made = report.backups.get(one.name)
    return None if made is None else words.stamp(made)


def table(report: Report) -> str:
    """The report as text: what it is of, a row for each instance, and their sum."""
    lines = [tuple(column.upper() for column in _head(report)), *_rows(report)]
    if len(report.instances) > 1:
        lines.append(_total(report))
    return "\n".join([title(report), "", *columns.aligned(lines), "", *notes(report)])


def title(report: Report) -> str:
    since, until = words.when(report.since), words.when(report.until)
    ran = sum(until - since for since, until in report.up)
    return f"{since} to {until}, of which the machine ran {words.span(ran)}"


def _head(report: Report) -> tuple[str, ...]:
    return (*_COLUMNS, *_MEMORY_COLUMNS, *([_BACKUP_COLUMN] if report.backups else []))


def _rows(report: Report) -> list[tuple[str, ...]]:
    return [(*cells(one), *_age(report, one.name)) for one in report.instances]


def _total(report: Report) -> tuple[str, ...]:
    return (*cells(whole(report.instances), _TOTAL), *_age(report, _TOTAL))


def _age(report: Report, name: str) -> list[str]:
    """The column with how long ago the last good backup was made, where there is that column."""
    if not report.backups:
        return []
    made = report.backups.get(name)
    return ["-" if made is None else f"{words.span(max(report.until - made, 0))} ago"]


def cells(one: Measured, name: str = "") -> tuple[str, ...]:
    """A row of the table."""
    middle, high = median(one.wakes), percentile(one.wakes, _P95)
    return (
        name or one.name,
        f"{100 * one.asleep / one.seconds:.1f} %" if one.seconds else "-",
        f"{len(one.wakes)}",
        words.took(middle) if middle is not None else "-",
        words.took(high) if high is not None else "-",
        f"{one.failures}",
        f"{one.refused}",
        f"{one.strangers}",
        _gib_hours(one.memory, one.asleep - one.unmeasured),
        _gib_hours(one.cache, one.asleep - one.unmeasured - one.uncached),
    )


def _gib_hours(byte_seconds: float, measured: float) -> str:
    return f"{words.gib_hours(byte_seconds):.3g} GiB·h" if measured > 1 else "-"


def notes(report: Report) -> list[str]:
    """What the numbers mean, and of how much time some are not known."""
    total = whole(report.instances)
    said = [MEMORY_NOTE]
    if total.unmeasured > _ALL_BUT_A_MINUTE:
        said.append(
            f"Of {words.span(total.unmeasured)} asleep the memory before is not known, and counts "
            "as none: nothing has measured it at that sleep."
        )
    if total.uncached > _ALL_BUT_A_MINUTE:
        said.append(
            f"Of {words.span(total.uncached)} asleep the page cache before is not known: the "
            "kernel does not account for it (cgroup_enable=memory, MemoryAccounting=)."
        )
    return said


def html(report: Report) -> str:
    """One page that needs nothing from elsewhere. Raises SockwakeError without jinja2."""
    environment = templates.environment(os.path.dirname(__file__), escape=True)
    return environment.get_template("report.html.j2").render(
        title=title(report),
        head=_head(report),
        rows=_rows(report),
        total=_total(report),
        timeline=charts.timeline(report),
        histogram=charts.histogram(_wakes(report.instances)),
        wakes=len(_wakes(report.instances)),
        notes=notes(report),
    )


def _wakes(each: Sequence[Measured]) -> list[float]:
    return [took for one in each for took in one.wakes]
