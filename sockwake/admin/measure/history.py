"""sockwake history: wakes, refusals, strangers and failures of instances, from the journal."""

from collections.abc import Sequence

from sockwake.admin import columns
from sockwake.admin.measure import events, log, spells, words
from sockwake.admin.measure.events import Event
from sockwake.admin.measure.spells import Spell

_COLUMNS = ("when", "name", "event", "client", "took", "awake", "why")
_LONGEST_WHY = 60  # letters in a table
# of a wake with what came meanwhile: its two events, a stop of the proxy, a failure
_EVENTS_OF_A_ROW = 5


def rows(names: Sequence[str], since: float, most: int) -> list[dict[str, object]]:
    """A row for each wake, failure, refusal, and run of strangers; the last so many, 0 for all."""
    enough = most * _EVENTS_OF_A_ROW + 20 if most and not since else 0
    found = log.read(names, since=since, most=enough)
    listed = listing(found, log.boots())
    return listed[-most:] if most else listed


def listing(found: Sequence[Event], boots: Sequence[log.Boot]) -> list[dict[str, object]]:
    """The rows of events, in the order of their times."""
    timed: list[tuple[float, dict[str, object]]] = []
    for own in spells.by_name(found).values():
        each = spells.of(own, boots)
        timed += [(spell.began, _of_spell(spell)) for spell in each]
        ends = {spell.sleep.at: spell for spell in each if spell.sleep and spell.sleep.why}
        for event in own:
            is_new_failure = event.kind == events.FAILURE and not _is_end(event, ends)
            if is_new_failure or event.kind in (events.REFUSAL, events.STRANGERS):
                timed.append((event.at, _of_event(event)))
    return [row for _, row in sorted(timed, key=lambda pair: pair[0])]


def _is_end(failure: Event, ends: dict[float, Spell]) -> bool:
    """Whether a failure is told as the end of a wake already."""
    return any(abs(at - failure.at) < 2 and failure.why.startswith(ends[at].why) for at in ends)


def _of_spell(spell: Spell) -> dict[str, object]:
    wake, sleep = spell.wake, spell.sleep
    return {
        "when": words.stamp(spell.began),
        "name": spell.name,
        "event": events.WAKE,
        "client": wake.client if wake else "",
        "took_seconds": wake.took if wake else None,
        "phases": dict(wake.phases) if wake else {},
        "awake_seconds": None if spell.seconds is None else round(spell.seconds, 3),
        "slept_at": None if spell.ended is None else words.stamp(spell.ended),
        "memory_bytes": sleep.memory if sleep else None,
        "page_cache_bytes": sleep.cache if sleep else None,
        "why": spell.why,
    }


def _of_event(event: Event) -> dict[str, object]:
    return {
        "when": words.stamp(event.at),
        "name": event.name,
        "event": event.kind,
        "client": event.client,
        "count": (event.count or None) if event.kind != events.FAILURE else None,
        "why": event.why,
    }


def table(listed: Sequence[dict[str, object]], *, has_header: bool) -> str:
    """The rows as text, in columns."""
    lines = [tuple(column.upper() for column in _COLUMNS)] if has_header else []
    return "\n".join(columns.aligned([*lines, *map(_cells, listed)]))


def _cells(row: dict[str, object]) -> tuple[str, ...]:
    when = str(row["when"]).replace("T", " ")[:19]
    client = str(row["client"])
    count = row.get("count")
    if row["event"] == events.REFUSAL:
        client = "1 client" if count == 1 else f"{count or ''} clients".strip()
    elif isinstance(count, int) and count > 1:
        client = f"{count}, last {client}"
    took, awake = row.get("took_seconds"), row.get("awake_seconds")
    awake_for = words.span(awake) if isinstance(awake, float) else ""
    if row["event"] == events.WAKE and not awake_for:
        awake_for = "still"
    why = str(row["why"])
    cells = (
        when,
        str(row["name"]),
        str(row["event"]),
        client,
        words.took(took) if isinstance(took, float) else "",
        awake_for,
        why if len(why) <= _LONGEST_WHY else f"{why[: _LONGEST_WHY - 1]}…",
    )
    return tuple(cell or "-" for cell in cells)
