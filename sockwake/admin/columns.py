"""Tables for a terminal."""

from collections.abc import Callable, Sequence

from sockwake.errors import shown

Paint = Callable[[int, int, str], str]


def aligned(lines: Sequence[Sequence[str]], paint: Paint | None = None) -> list[str]:
    """Rows of cells as lines of text, each column as wide as its widest cell.

    What is in a cell others may have chosen: control characters are shown by their escapes.
    paint: makes what is shown of (number of row, number of column, cell), no wider than that.
    """
    escaped = [[shown(cell) for cell in line] for line in lines]
    widths = [max(map(len, column)) for column in zip(*escaped)]
    found = []
    for row, line in enumerate(escaped):
        cells = [cell.ljust(width) for cell, width in zip(line, widths)]
        if paint:
            cells = [paint(row, column, cell) for column, cell in enumerate(cells)]
        found.append("  ".join(cells).rstrip())
    return found
