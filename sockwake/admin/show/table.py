"""The rows of sockwake ls as text for a terminal."""

from sockwake.admin import colour, columns, words
from sockwake.admin.show import ls, times
from sockwake.errors import shown

Row = dict[str, object]
_COLUMNS = (
    *("NAME", "KIND", "VERSION", "ADDRESS", "STATE", "SINCE", "CLIENTS", "MEMORY", "IMAGE"),
    "SLEEPS",
)
_STATE = _COLUMNS.index("STATE")
_COLOURS = {
    ls.ASLEEP: "",
    ls.AWAKE: colour.GREEN,
    ls.BROKEN: colour.RED,
    ls.FAILED: colour.RED,
    ls.FORWARDED: "",
    ls.OFF: colour.DIM,
    "being made": colour.DIM,
}
_OTHER = colour.YELLOW  # waking, falling asleep, unwatched, unfinished


def text(rows: list[Row], *, header: bool = True, coloured: bool = False) -> str:
    """The rows in columns, with what is wrong below them."""
    titles = [_COLUMNS] if header else []
    lines = [*titles, *map(_cells, rows)]

    def paint(row: int, column: int, cell: str) -> str:
        if column != _STATE or row < len(titles):
            return cell
        return colour.painted(cell, _COLOURS.get(cell.rstrip(), _OTHER))

    aligned = columns.aligned(lines, paint if coloured else None)
    return "".join(f"{line}\n" for line in [*aligned, *_failures(rows)])


def sleeps(row: Row) -> str:
    """When the instance of a row sleeps next: "in 3min", "now", "held", "never"; "" if unknown."""
    if row.get("held"):
        return "held"
    moment = row.get("next_sleep")
    if isinstance(moment, times.Moment):
        return times.until(moment)
    return "never" if row["state"] == ls.AWAKE and row.get("idle") == "infinity" else ""


def since(row: Row) -> str:
    """For how long it has been in its state; "" when not known."""
    moment = row.get("state_since")
    return times.ago(moment) if isinstance(moment, times.Moment) else ""


def places(row: Row) -> str:
    """Where the instance of a row listens; "" for one that has no valid instance.env."""
    ports, listen = row.get("ports"), row.get("listen")
    if isinstance(ports, list):
        return ", ".join(str(each).partition("=")[0] for each in ports)
    if isinstance(listen, list):
        return ", ".join(_where(item, row.get("port")) for item in listen)
    return ""


def _cells(row: Row) -> tuple[str, ...]:
    memory = row.get("memory_bytes")
    cells = (
        *(row["name"], row.get("kind"), row.get("version"), places(row)),
        *(row["state"], since(row), row.get("clients"), words.size(memory) if memory else ""),
        *(row.get("image"), sleeps(row)),
    )
    return tuple("-" if cell is None or cell == "" else str(cell) for cell in cells)


def _failures(rows: list[Row]) -> list[str]:
    """What is wrong with each, a line for each."""
    known = (ls.FAILED, ls.BROKEN)
    return [
        f"{row['name']}: {'' if row['state'] in known else 'the last wake failed: '}"
        f"{shown(str(row['error']))}"
        for row in rows
        if "error" in row
    ]


def _where(item: str, port: object) -> str:
    if item.startswith("/"):
        return item
    return f"[{item}]:{port}" if ":" in item else f"{item}:{port}"
