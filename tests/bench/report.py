"""From what was measured to rows, verdicts and a table. Pure."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterator
from typing import Any

import wake_rows
from rows import Row, ratio, span, timed, zero

FIRST_ROW_MS = 2000


def rows(results: dict[str, Any]) -> list[Row]:
    """The rows of every part that was measured."""
    makers = {
        "cold": wake_rows.cold,
        "aimed": _aimed,
        "awake": wake_rows.awake,
        "engineless": wake_rows.engineless,
        "asleep": wake_rows.asleep,
        "kinds": _kinds,
        "project": _project,
        "upgrade": _upgrade,
        "forward": _forward,
        "copies": _copies,
        "making": _making,
        "reload": _reload,
        "first": _first,
    }
    found = [
        row for part, maker in makers.items() if part in results for row in maker(results[part])
    ]
    if "python" in results:
        found += _python(results["python"], results.get("cold"))
    return found


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
    yield zero("crash recoveries in those", part["recoveries"])
    yield zero("sockets not listening afterwards", part["sockets_failed"])


def _kinds(part: dict[str, Any]) -> Iterator[Row]:
    handmade = {
        "container": "nginx, compose up and nc -z once a second",
        "command": "redis, Type=notify",
        "native": "the same program",
    }
    for kind, software in handmade.items():
        found = part[kind]
        samples, rates = found["samples"], found["throughput"]
        yield timed(f"{kind}: cold start, sockwake", samples["sockwake"])
        if "engine" in samples:
            yield timed("    woken by Docker (--runtime engine)", samples["engine"])
        yield timed(f"    by hand ({software})", samples["handmade"])
        middle = {contestant: statistics.median(samples[contestant]) for contestant in samples}
        against = middle["sockwake"] / middle["handmade"]
        if kind == "container":
            yield Row("    the one against the other", f"{against:.2f} ×")
        else:
            yield ratio("    the one against the other", against, 1.8)
        labels = {"sockwake": "    requests per second awake, sockwake", "handmade": "    by hand"}
        for contestant, label in labels.items():
            rate, spread = rates[contestant], span(rates[contestant], "/s")
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
        spread = span(part[name], unit, 1)
        yield Row(f"container: {what}", f"{middle:.1f} {unit}", spread, limit, middle <= bound)


def _project(part: dict[str, Any]) -> Iterator[Row]:
    samples, failed = part["samples"], len(part["failures"])
    yield timed("project of two services: cold start, sockwake", samples["sockwake"])
    yield timed("    `docker compose up -d --wait`, its containers exist", samples["compose"])
    middle = {contestant: statistics.median(took) for contestant, took in samples.items()}
    yield ratio("    the one against the other", middle["sockwake"] / middle["compose"], 0.6)
    yield zero("    failures in those, sockwake", failed)


def _upgrade(part: dict[str, Any]) -> Iterator[Row]:
    for method, how in (("clone", "its files cloned"), ("upgrade", "its files copied")):
        took, alone = (sorted(each) for each in zip(*part[method]["taken"], strict=True))
        middle, rest = statistics.median(took), statistics.median(alone)
        share = f"{rest / middle:.2f} of it"
        yield Row(
            f"an upgrade of 1 GB from PostgreSQL 17 to 18, {how}",
            f"{middle:.1f} s",
            f"{took[0]:.1f}–{took[-1]:.1f} s, n = {len(took)}",
        )
        yield Row("    pg_upgrade alone, in the same", f"{rest:.1f} s", share)


def _forward(part: dict[str, Any]) -> Iterator[Row]:
    for clients, rates in part["rates"].items():
        plural = "" if clients == "1" else "s"
        for name, what in (("direct", "direct by TCP"), ("forward", "through sockwake forward")):
            label = f"pgbench --select-only, {clients} client{plural}, {what}"
            if name == "forward":
                label = f"    {what}"
            rate = rates[name]
            spread = f"{span(rate, '/s')}, n = {len(rate)}"
            yield Row(label, f"{statistics.median(rate):,.0f} /s", spread)
        share = statistics.median(rates["forward"]) / statistics.median(rates["direct"])
        yield Row("    the one against the other", f"{share:.2f} ×")


def _copies(part: dict[str, Any]) -> Iterator[Row]:
    kinds = (("shared", "blocks shared (btrfs)", 1.2, 300), ("plain", "blocks copied", 1.11, 0))
    for kind, title, most, longest in kinds:
        samples = {
            what: [1000 * each for each in found] for what, found in part[kind]["samples"].items()
        }
        what = f"backup of a sleeping cluster of {part[kind]['bytes'] / 1e9:.1f} GB, {title}"
        yield timed(what, samples["backup"], longest)
        yield timed("    copy, with a daemon-reload", samples["copy"], longest)
        yield timed("    cp --archive alone", samples["cp"])
        yield timed("    with a sync, which both of ours do", samples["cp and sync"])
        medians = {what: statistics.median(found) for what, found in samples.items()}
        figure = medians["backup"] / medians["cp and sync"]
        yield ratio("    the backup against that", figure, most)
        rest = medians["backup"] - medians["cp and sync"]
        yield Row("    what it takes beside that, whatever the size", f"{rest:.0f} ms")
    waits = {what: statistics.median(found) for what, found in part["shared"]["waits"].items()}
    more = waits["during"] - waits["alone"]
    yield Row(
        "    a client that comes meanwhile waits longer by",
        f"{more:.0f} ms",
        bound="≤ 500 ms",
        passed=more <= 500,
    )


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
            span(took, "ms"),
            f"≤ {bound:.0f} ms" if bound else "",
            middle[count] <= bound if bound else None,
        )
    counts = sorted(samples)
    growth = [
        (middle[more] / middle[fewer], more / fewer) for fewer, more in itertools.pairwise(counts)
    ]
    yield Row(
        "its growth with 100 × and 10 × as many",
        " and ".join(f"{more:.2f} ×" for more, _ in growth),
        bound="≤ the count's",
        passed=all(more <= count for more, count in growth),
    )


def _first(part: dict[str, Any]) -> Iterator[Row]:
    """Of machines that boot for the first time from an image."""
    samples = part["samples"]
    middle = statistics.median(samples)
    yield Row(
        "first boot from an image: from the port open to the first row, with initdb",
        f"{middle:.0f} ms",
        f"{span(samples, 'ms')}, n = {len(samples)}",
        f"≤ {FIRST_ROW_MS} ms",
        middle <= FIRST_ROW_MS,
    )


def _reload(part: dict[str, Any]) -> Iterator[Row]:
    samples = part["samples"]
    count = f"{part['count']:,}"
    yield timed(f"daemon-reload with {count} sockwake instances listening", samples["sockwake"])
    yield timed(
        f"daemon-reload with {count} bare template sockets and static drop-ins", samples["bare"]
    )
    yield ratio(
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
        span(starts, "ms", 1),
    )
    yield Row(
        "    what the waker imports", f"{statistics.median(imports):.1f} ms", span(imports, "ms", 1)
    )
    if cold and cold["samples"]["sockwake"]:
        share = statistics.median(waker - true for true, _, waker in rounds) / statistics.median(
            cold["samples"]["sockwake"]
        )
        yield Row("    both, as a share of the cold start", f"{100 * share:.1f} %")
