"""Files with a failed test once more, alone: what fails only sometimes is told from the rest.

On two processors that six machines share, an accident in one of thousands of tests must not hide
what the others say. It is named, and its first failure stays in the log.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from children import Run, in_parallel
from outcome import Outcome, sum_up
from rings import HERE, images, machine, pure, system

MOST = 3  # files; where more fail it is no accident


def tried_again(run: Run, deb: Path | None, outcome: Outcome, arguments: list[str]) -> Outcome:
    """The outcome, with its failed tests as unsteady ones if all of their files pass now."""
    if run.problems or not 0 < len(outcome.failed_files) <= MOST:
        return outcome
    run.say("again", "\n".join(sorted(str(file) for file in outcome.failed_files)))
    again = Run(run.reports / "again")
    again.reports.mkdir()
    for job in jobs(again, deb, outcome.failed_files, arguments):
        in_parallel([job], again)
    second = sum_up(again.reports)
    outcome.figures.update(second.figures)
    if again.problems or second.failures or not second.counts["passed"]:
        run.problems.extend(again.problems)
        return outcome
    outcome.counts["passed"] += outcome.counts.pop("failed")
    outcome.unsteady, outcome.failures = outcome.failures, []
    return outcome


def jobs(
    run: Run, deb: Path | None, files: set[Path], arguments: list[str]
) -> list[Callable[[], None]]:
    """What runs these files, ring by ring."""
    found: list[Callable[[], None]] = []
    for ring in sorted({file.parts[0] for file in files}):
        of_ring = [file for file in files if file.parts[0] == ring]
        chosen = [*arguments, "-k", " or ".join(file.stem for file in of_ring)]
        if ring == "pure":
            found.append(partial(pure, run, [], chosen))
        elif ring == "machine":
            found.append(partial(machine, run, chosen))
        elif deb and ring == "images":
            found.append(partial(images, run, deb, [], chosen))
        elif deb:
            found.append(
                partial(system, run, deb, [HERE / file for file in of_ring], [], arguments)
            )
    return found
