"""What a run of tests came to, by the reports that pytest left."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections import Counter
from dataclasses import dataclass, field
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


@dataclass
class Outcome:
    """failures, unsteady: a line for each; the latter passed when they were tried again.

    failed_files: those that had a failure, from the folder of all tests.
    """

    counts: Counter[str] = field(default_factory=Counter)
    figures: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    failed_files: set[Path] = field(default_factory=set)
    unsteady: list[str] = field(default_factory=list)


def sum_up(reports: Path) -> Outcome:
    """The sum over every report."""
    outcome = Outcome()
    for path in sorted(reports.rglob("*.xml")):
        for suite in ElementTree.parse(path).getroot().iter("testsuite"):
            tests, skipped = int(suite.get("tests", 0)), int(suite.get("skipped", 0))
            failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
            outcome.counts.update(
                passed=max(tests - failed - skipped, 0), failed=failed, skipped=skipped
            )
            for item in suite.iterfind("properties/property"):
                if (figure := item.get("name")) in FIGURES:
                    outcome.figures[figure] += int(item.get("value", 0))
            for case in suite.iter("testcase"):
                name = f"{case.get('classname')}.{case.get('name')}".lstrip(".")
                for why in (case.find("failure"), case.find("error")):
                    if why is not None:
                        outcome.failures.append(f"{name}: {one_line(why.get('message', ''))}")
                        # a file that cannot be read has no class
                        outcome.failed_files.add(file_of(case.get("classname") or name))
    return outcome


def file_of(module: str) -> Path:
    """The file of a module, from the folder of all tests."""
    return Path(*module.split(".")[1:]).with_suffix(".py")


def one_line(message: str) -> str:
    """The message of a failure, short enough for the last lines of a log."""
    return " ".join(message.split())[:400]
