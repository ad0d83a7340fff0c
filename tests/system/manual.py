"""What README.md and docs/ tell a reader to type, taken out of them, so that they cannot drift."""

from __future__ import annotations

import re
from pathlib import Path

from program import PATIENCE, Ran, run

SOURCE = Path(__file__).resolve().parents[2]


def blocks(page: str, heading: str) -> list[str]:
    """What is indented between this heading and the next, each block as it stands."""
    lines = f"\n{(SOURCE / page).read_text()}".split(f"\n{heading}\n", 1)[1].splitlines()
    found: list[list[str]] = [[]]
    for line in lines:
        if line.startswith("#"):
            break
        if line.startswith("    ") or (found[-1] and not line):
            found[-1].append(line[4:])
        elif found[-1]:
            found.append([])
    return ["\n".join(block).strip("\n") for block in found if block]


def block(page: str, heading: str, start: str) -> str:
    """The one block of them with a line that starts like this."""
    found = [
        text
        for text in blocks(page, heading)
        if re.search(f"^{re.escape(start)}", text, re.MULTILINE)
    ]
    assert len(found) == 1, f"{page}, {heading}: {len(found)} blocks begin with {start!r}"
    return found[0]


def typed(
    commands: str,
    *,
    user: str = "",
    stdin: str | None = None,
    cwd: Path | None = None,
    timeout: float = 2 * PATIENCE,
) -> Ran:
    """What became of them in a shell, which ends with the first that fails."""
    return run(
        "bash", "-e", "-c", commands, user=user, stdin=stdin, cwd=str(cwd or "/"), timeout=timeout
    ).expect(0)
