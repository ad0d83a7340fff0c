"""From what was measured to rows, verdicts and a table. Pure."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterator, Sequence
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


def rows(results: dict[str, Any]) -> list[Row]:
    """The rows of every part that was measured."""
    makers = {
        "cold": _cold,
        "aimed": _aimed,
        "awake": _awake,
        "asleep": _asleep,
        "kinds": _kinds,
        "project": _project,
        "making": _making,
        "reload": _reload,
    }
    found = [
        row for part, maker in makers.items() if part in results for row in maker(results[part])
    ]
    if "python" in results:
        found += _python(results["python"], results.get("cold"))
    return found


def _cold(part: dict[str, Any]) -> Iterator[Row]:
    samples, failures = part["samples"], part["failures"]
    labels = {
        "sockwake": "cold start, sockwake",
        "recipe": "cold start, the recipe (compose up, nc -z once a second)",
        "floor": "the floor (engine API start until PostgreSQL asks for a password)",
        "warm": "psql on an awake instance",
    }
    yield from (_timed(label, samples[name]) for name, label in labels.items() if samples[name])
    if all(samples[name] for name in labels):
        middle = {name: statistics.median(samples[name]) for name in labels}
        yield _ratio("cold start against the recipe", middle["sockwake"] / middle["recipe"], 0.35)
        yield _ratio(
            "cold start against floor + awake psql",
            middle["sockwake"] / (middle["floor"] + middle["warm"]),
            1.4,
        )
    made = (
        len(samples["sockwake"])
        + len(samples["warm"])
        + len(failures["sockwake"])
        + len(failures["warm"])
    )
    failed = len(failures["sockwake"]) + len(failures["warm"])
    yield Row("failures in those, sockwake", f"{failed} of {made}", bound="0", passed=failed == 0)
    recipe = len(failures["recipe"])
    yield Row("failures in those, the recipe", f"{recipe} of {recipe + len(samples['recipe'])}")
    if samples["detached"]:
        refusals = part["detached_refusals"]
        yield _timed(
            "the recipe with `compose up -d` in front of nc, tried again until answered",
            samples["detached"],
        )
        yield Row(
            "first clients of that one turned away",
            f"{sum(map(bool, refusals))} of {len(refusals)}",
        )


def _aimed(part: dict[str, Any]) -> Iterator[Row]:
    failed, cold = len(part["failures"]), part["cold"]
    yield Row(
        "failures of cold starts aimed at idle exit and stop",
        f"{failed} of {part['made']} connections",
        ", ".join(f"{aim} {count}" for aim, count in cold.items()),
        "0",
        failed == 0,
    )
    enough = sum(cold.values()) >= part["wanted"]
    yield Row(
        "cold starts among those",
        str(sum(cold.values())),
        bound=f"≥ {part['wanted']}",
        passed=enough,
    )
    yield _count("crash recoveries in those", part["recoveries"])
    yield _count("sockets not listening afterwards", part["sockets_failed"])


def _awake(part: dict[str, Any]) -> Iterator[Row]:
    for contestant, label, bound in (
        ("own", "the watcher", 10.0),
        ("proxy", "systemd-socket-proxyd", None),
    ):
        rss, pss, private = (
            [sample[key] * 1024 / 1e6 for sample in part[contestant]]
            for key in ("rss", "pss", "private")
        )
        middle = statistics.median(rss)
        yield Row(
            f"resident memory per awake instance: {label} (RSS)",
            f"{middle:.1f} MB",
            _span(rss, "MB", 1),
            f"≤ {bound:g} MB" if bound else "",
            middle <= bound if bound else None,
        )
        yield Row(
            "    of it not shared with anything; its fair share (PSS)",
            f"{statistics.median(private):.1f} MB; {statistics.median(pss):.1f} MB",
        )


def _asleep(part: dict[str, Any]) -> Iterator[Row]:
    left = {what: part[what] for what in ("processes", "containers", "timers", "units")}
    of = f"{part['instances']} sleeping instances"
    yield Row(
        f"processes, containers, timers and active services of {of}",
        ", ".join(str(count) for count in left.values()),
        bound="0",
        passed=not any(left.values()),
    )


def _kinds(part: dict[str, Any]) -> Iterator[Row]:
    handmade = {
        "container": "nginx, compose up and nc -z once a second",
        "command": "redis, Type=notify",
        "native": "the same program",
    }
    for kind, software in handmade.items():
        found = part[kind]
        samples, rates = found["samples"], found["throughput"]
        yield _timed(f"{kind}: cold start, sockwake", samples["sockwake"])
        yield _timed(f"    by hand ({software})", samples["handmade"])
        middle = {contestant: statistics.median(samples[contestant]) for contestant in samples}
        ratio = middle["sockwake"] / middle["handmade"]
        yield Row("    the one against the other", f"{ratio:.2f} ×")
        labels = {"sockwake": "    requests per second awake, sockwake", "handmade": "    by hand"}
        for contestant, label in labels.items():
            rate, spread = rates[contestant], _span(rates[contestant], "/s")
            yield Row(label, f"{statistics.median(rate):,.0f} /s", f"{spread}, n = {len(rate)}")
        attacked = found["aimed"]
        failed = len(attacked["failures"]) + len(found["failures"]["sockwake"])
        cold = sum(attacked["cold"].values())
        yield Row(
            "    failures of requests aimed at idle exit and stop",
            f"{failed} of {attacked['made']}",
            f"{cold} of them cold starts",
            "0",
            failed == 0 and cold >= attacked["wanted"],
        )
    yield from _starts(part["starts"])


def _starts(part: dict[str, Any]) -> Iterator[Row]:
    probe, stubborn = "processor time of the probe, start of 20 s", "sockwake-new of a stubborn one"
    for what, name, unit, bound in ((probe, "probe", "ms", 50), (stubborn, "stubborn", "s", 5)):
        middle, limit = statistics.median(part[name]), f"≤ {bound} {unit}"
        spread = _span(part[name], unit, 1)
        yield Row(f"container: {what}", f"{middle:.1f} {unit}", spread, limit, middle <= bound)


def _project(part: dict[str, Any]) -> Iterator[Row]:
    samples, failed = part["samples"], len(part["failures"])
    yield _timed("project of two services: cold start, sockwake", samples["sockwake"])
    yield _timed("    `docker compose up -d --wait`, its containers exist", samples["compose"])
    middle = {contestant: statistics.median(took) for contestant, took in samples.items()}
    yield _ratio("    the one against the other", middle["sockwake"] / middle["compose"], 0.6)
    yield _count("    failures in those, sockwake", failed)


def _making(part: dict[str, Any]) -> Iterator[Row]:
    samples = {int(count): took for count, took in part["samples"].items()}
    middle = {count: statistics.median(took) for count, took in samples.items()}
    for count, took in samples.items():
        bound = 300.0 if count == 1000 else None
        label = (
            f"sockwake-new --no-provision with {count:,} instance{'s' if count > 1 else ''} present"
        )
        yield Row(
            label,
            f"{middle[count]:.0f} ms",
            _span(took, "ms"),
            f"≤ {bound:.0f} ms" if bound else "",
            middle[count] <= bound if bound else None,
        )
    counts = sorted(samples)
    growth = [
        (middle[more] / middle[fewer], more / fewer) for fewer, more in itertools.pairwise(counts)
    ]
    yield Row(
        "its growth with 100 × and 10 × as many",
        " and ".join(f"{ratio:.2f} ×" for ratio, _ in growth),
        bound="≤ the count's",
        passed=all(ratio <= count for ratio, count in growth),
    )


def _reload(part: dict[str, Any]) -> Iterator[Row]:
    samples = part["samples"]
    count = f"{part['count']:,}"
    yield _timed(f"daemon-reload with {count} sockwake instances listening", samples["sockwake"])
    yield _timed(
        f"daemon-reload with {count} bare template sockets and static drop-ins", samples["bare"]
    )
    yield _ratio(
        "the one against the other",
        statistics.median(samples["sockwake"]) / statistics.median(samples["bare"]),
        1.5,
    )


def _python(part: dict[str, Any], cold: dict[str, Any] | None) -> Iterator[Row]:
    rounds = list(zip(*(part["samples"][name] for name in ("true", "interpreter", "waker"))))
    starts = [bare - true for true, bare, _ in rounds]
    imports = [waker - bare for _, bare, waker in rounds]
    yield Row(
        "Python on the wake path: the interpreter, /bin/true deducted",
        f"{statistics.median(starts):.1f} ms",
        _span(starts, "ms", 1),
    )
    yield Row(
        "    what the waker imports",
        f"{statistics.median(imports):.1f} ms",
        _span(imports, "ms", 1),
    )
    if cold and cold["samples"]["sockwake"]:
        share = statistics.median(waker - true for true, _, waker in rounds) / statistics.median(
            cold["samples"]["sockwake"]
        )
        yield Row("    both, as a share of the cold start", f"{100 * share:.1f} %")


def parts(part: dict[str, Any]) -> list[tuple[str, float]]:
    """(what happens, median milliseconds) along one cold start."""
    steps = (
        ("psql starts, connects; systemd starts pg-postgres@", "unit", None),
        ("systemd forks; the interpreter, imports, settings, locks: READY=1", "waking", "unit"),
        ("engine and PostgreSQL: ready", "ready", "waking"),
        ("proxy wrapper sees it, becomes socket-proxyd; login, row, psql ends", "row", "ready"),
    )
    return [
        (what, statistics.median(row[end] - (row[begin] if begin else 0) for row in part["parts"]))
        for what, end, begin in steps
    ]


def phases(part: dict[str, Any]) -> dict[str, float]:
    """The waker's own account: median milliseconds of each phase."""
    told = part["phases"]
    return {
        key: statistics.median(row[key] for row in told if key in row)
        for key in (told[0] if told else {})
    }


def _timed(what: str, samples: Sequence[float]) -> Row:
    return Row(
        what, f"{statistics.median(samples):.0f} ms", f"{_span(samples, 'ms')}, n = {len(samples)}"
    )


def _ratio(what: str, ratio: float, bound: float) -> Row:
    return Row(what, f"{ratio:.3f} ×", bound=f"≤ {bound:g} ×", passed=ratio <= bound)


def _count(what: str, count: int) -> Row:
    return Row(what, str(count), bound="0", passed=count == 0)


def _span(samples: Sequence[float], unit: str, digits: int = 0) -> str:
    """From the 10th to the 90th percentile; from the least to the most when there are few."""
    ordered = sorted(samples)
    if len(ordered) >= 10:
        tenths = statistics.quantiles(ordered, n=10, method="inclusive")
        low, high = tenths[0], tenths[-1]
    else:
        low, high = ordered[0], ordered[-1]
    return f"{low:.{digits}f}–{high:.{digits}f} {unit}"
