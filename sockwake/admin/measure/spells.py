"""What the events of an instance add up to: spells in which it was awake, and what else came."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sockwake.admin.measure import events
from sockwake.admin.measure.events import Event
from sockwake.admin.measure.log import Boot

IDLE, STOPPED, SHUT_DOWN, CRASHED, UNKNOWN = (
    "idle",
    "stopped",
    "the machine was shut down",
    "the machine went down",
    "not known",
)
_SHUTDOWN = 120  # seconds that a machine may take to go down behind the end of a backend
_SET = 2  # seconds by which a clock that was set meanwhile differs, and a late entry does not


@dataclass(frozen=True)
class Spell:
    """One time that an instance was awake, in seconds since the epoch.

    began: when the wake began. ended: None while it is awake. wake: None when it is older than
    what the journal was asked for. why: why it ended, IDLE when no client was there, "" while it
    is awake. sleep: the event that ended it, with the memory that it had. Of one in which the clock
    was set both are by the clock as it was at the end.
    """

    name: str
    began: float
    ended: float | None
    wake: Event | None
    why: str = ""
    sleep: Event | None = None

    @property
    def seconds(self) -> float | None:
        return None if self.ended is None else self.ended - self.began


def of(found: Sequence[Event], boots: Sequence[Boot] = ()) -> list[Spell]:
    """The spells of one instance, by its events in the order of the journal."""
    spells: list[Spell] = []
    last: Spell | None = None
    stopping: Event | None = None
    for event in found:
        if event.kind == events.WAKE:
            if last:  # its end was never written
                spells.append(_cut(last, event, boots))
            last, stopping = Spell(event.name, event.at - (event.took or 0), None, event), None
        elif event.kind == events.STOPPING:
            stopping = event
        elif event.kind == events.SLEEP:
            if last or event.awake is not None:
                began = _began(last, event)
                why = _why(event, stopping, boots)
                wake = last.wake if last else None
                spells.append(Spell(event.name, began, event.at, wake, why, event))
            last = stopping = None
    if last and not _is_of_this_boot(last, boots):
        last = _cut(last, None, boots)
    return spells + ([last] if last else [])


def _began(last: Spell | None, sleep: Event) -> float:
    """When the spell began that a sleep has ended, also if the clock was set in between."""
    measured = sleep.at - (sleep.awake or 0)
    if last and (sleep.awake is None or abs(measured - last.began) < _SET):
        return last.began
    return measured


def _why(sleep: Event, stopping: Event | None, boots: Sequence[Boot]) -> str:
    if sleep.why:
        return sleep.why
    is_stopped = stopping is not None and stopping.boot == sleep.boot
    if not is_stopped and not sleep.is_stopped:
        return IDLE
    boot = next((each for each in boots[:-1] if each.id == sleep.boot), None)
    return SHUT_DOWN if boot and boot.ended - sleep.at < _SHUTDOWN else STOPPED


def _is_of_this_boot(spell: Spell, boots: Sequence[Boot]) -> bool:
    return not boots or spell.wake is None or spell.wake.boot in ("", boots[-1].id)


def _cut(spell: Spell, following: Event | None, boots: Sequence[Boot]) -> Spell:
    """A spell whose end is not in the journal: at that of its boot, or the next wake."""
    assert spell.wake
    boot = next((each for each in boots if each.id == spell.wake.boot), None)
    if boot and (following is None or following.boot != boot.id):
        return replace(spell, ended=max(boot.ended, spell.began), why=CRASHED)
    until = following.at - (following.took or 0) if following else spell.wake.at
    return replace(spell, ended=max(until, spell.began), why=UNKNOWN)


def by_name(found: Sequence[Event]) -> dict[str, list[Event]]:
    """The events of each instance, by name."""
    named: dict[str, list[Event]] = {}
    for event in found:
        named.setdefault(event.name, []).append(event)
    return dict(sorted(named.items()))
