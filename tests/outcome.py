"""What a run of tests came to, by the reports that pytest left."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

FIGURES = (
    "cold starts tried",
    "connections made",
    "connections lost",
    "faults tried",
    "sockets left failed",
    "crash recoveries seen",
    "hostile attempts",
    "fuzz cases",
)


def sum_up(reports: Path) -> tuple[Counter[str], Counter[str], list[str]]:
    """(outcomes, figures, each failure in a line) over every report."""
    outcomes: Counter[str] = Counter()
    figures: Counter[str] = Counter()
    failures: list[str] = []
    for path in sorted(reports.rglob("*.xml")):
        for suite in ElementTree.parse(path).getroot().iter("testsuite"):
            tests, skipped = int(suite.get("tests", 0)), int(suite.get("skipped", 0))
            failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
            outcomes += Counter(
                passed=max(tests - failed - skipped, 0), failed=failed, skipped=skipped
            )
            for item in suite.iterfind("properties/property"):
                if (figure := item.get("name")) in FIGURES:
                    figures[figure] += int(item.get("value", 0))
            for case in suite.iter("testcase"):
                why = [case.find("failure"), case.find("error")]
                name = f"{case.get('classname')}.{case.get('name')}"
                messages = [item.get("message", "") for item in why if item is not None]
                failures.extend(f"{name}: {one_line(message)}" for message in messages)
    return outcomes, figures, failures


def one_line(message: str) -> str:
    """The message of a failure, short enough for the last lines of a log."""
    return " ".join(message.split())[:400]
