"""From cold starts, and what instances keep resident, to rows. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from typing import Any

from rows import Row, ratio, span, timed


def cold(part: dict[str, Any]) -> Iterator[Row]:
    samples, failures = part["samples"], part["failures"]
    labels = {
        "sockwake": "cold start, sockwake",
        "engine": "    through the engine (--runtime engine)",
        "host": "    the host's PostgreSQL 17 (--runtime host)",
        "recipe": "cold start, the recipe (compose up, nc -z once a second)",
        "floor": "the floor (engine API start until PostgreSQL asks for a password)",
        "warm": "psql on an awake instance",
    }
    yield from (timed(label, samples[name]) for name, label in labels.items() if samples[name])
    if all(samples[name] for name in labels):
        middle = {name: statistics.median(samples[name]) for name in labels}
        yield ratio("cold start against the recipe", middle["sockwake"] / middle["recipe"], 0.14)
        yield ratio("the host's PostgreSQL against it", middle["host"] / middle["recipe"], 0.13)
        yield ratio("the engine's against it", middle["engine"] / middle["recipe"], 0.35)
        yield ratio(
            "the engine's against floor + awake psql",
            middle["engine"] / (middle["floor"] + middle["warm"]),
            1.4,
        )
    if len(samples["tail"]) > 1:
        tail = samples["tail"]
        late = statistics.quantiles(tail, n=20, method="inclusive")[-1]
        label = f"95th percentile of {len(tail)} cold starts against their median"
        yield ratio(label, late / statistics.median(tail), 1.6)
    own = ("sockwake", "engine", "host", "warm", "tail")
    failed = sum(len(failures[name]) for name in own)
    made = failed + sum(len(samples[name]) for name in own)
    yield Row("failures in those, sockwake", f"{failed} of {made}", bound="0", passed=failed == 0)
    recipe = len(failures["recipe"])
    yield Row("failures in those, the recipe", f"{recipe} of {recipe + len(samples['recipe'])}")
    if samples["detached"]:
        refusals = part["detached_refusals"]
        yield timed(
            "the recipe with `compose up -d` in front of nc, tried again until answered",
            samples["detached"],
        )
        yield Row(
            "first clients of that one turned away",
            f"{sum(map(bool, refusals))} of {len(refusals)}",
        )


def parts(part: dict[str, Any]) -> list[tuple[str, float]]:
    """(what happens, median milliseconds) along one cold start."""
    steps = (
        ("psql starts, connects; systemd starts pg-postgres@", "unit", None),
        ("systemd starts bin/container and bin/await, which takes the lock", "waking", "unit"),
        ("crun and PostgreSQL, the proxy's sandbox beside them: ready", "ready", "waking"),
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


def awake(part: dict[str, Any]) -> Iterator[Row]:
    labels = {"own": "crun and the watcher", "proxy": "systemd-socket-proxyd"}
    for contestant, label in labels.items():
        rss, pss, private = (
            [sample[key] * 1024 / 1e6 for sample in part[contestant]]
            for key in ("rss", "pss", "private")
        )
        yield Row(
            f"resident memory per awake instance: {label} (PSS)",
            f"{statistics.median(pss):.1f} MB",
            span(pss, "MB", 1),
        )
        yield Row(
            "    of it not shared with anything; with all that is (RSS)",
            f"{statistics.median(private):.1f} MB; {statistics.median(rss):.1f} MB",
        )
    pairs = zip(part["own"], part["proxy"], strict=True)
    both = [(own["pss"] + proxy["pss"]) * 1024 / 1e6 for own, proxy in pairs]
    middle = statistics.median(both)
    yield Row(
        "    beyond PostgreSQL in all (PSS)",
        f"{middle:.1f} MB",
        span(both, "MB", 1),
        "≤ 12 MB",
        middle <= 12,
    )


def engineless(part: dict[str, Any]) -> Iterator[Row]:
    """The rows of what no engine takes part in."""
    failed = len(part["failures"])
    yield Row(
        f"wakes that failed while the engine was restarted {part['restarts']} times",
        f"{failed} of {part['wakes']}",
        bound="0",
        passed=failed == 0 and part["wakes"] > part["restarts"],
    )
    disk = part["second_bytes"] / 1e6
    yield Row(
        "disk of the second instance of one image, its data apart",
        f"{disk:.2f} MB",
        bound="≤ 1 MB",
        passed=disk <= 1,
    )
    left = part["left"]
    yield Row(
        "processes of all that sleep, and of an engine, where none runs",
        str(len(left)),
        ", ".join(left),
        "0",
        not left,
    )


def asleep(part: dict[str, Any]) -> Iterator[Row]:
    left = {what: part[what] for what in ("processes", "containers", "timers", "units")}
    of = f"{part['instances']} sleeping instances"
    yield Row(
        f"processes, containers, timers and active services of {of}",
        ", ".join(str(count) for count in left.values()),
        bound="0",
        passed=not any(left.values()),
    )
