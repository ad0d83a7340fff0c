"""Whether an instance is to be awake now, by its KEEP= or MAINTAIN=, and until when."""

from __future__ import annotations

from sockwake.lifecycle import holds
from sockwake.lifecycle.hold import WINDOW
from sockwake.system import calendars

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sockwake.config.hours import Hours
    from sockwake.config.instance import Instance
    from sockwake.config.settings import Settings

_LONGEST = 26 * 3600  # seconds of a day, and of the hour by which clocks are set back
_SET_BACK = 2 * 3600  # seconds by which clocks are set back at most
_A_DAY = 2  # times that hours may begin in those
_MOST = 14  # hours that follow each other without a gap


def until(hours: Sequence[Hours], now: float) -> float | None:
    """When the hours are over that it is now, in seconds since 1970; None outside of them."""
    end = now
    for _ in range(_MOST):
        later = max((each for of_one in hours for each in _ends(of_one, end)), default=end)
        if later <= end:
            break
        end = later
    return end if end > now else None


def of_window(settings: Settings, at: float) -> float | None:
    """When the window of the upkeep is over that it is at a time; None without one."""
    return until([each for each in settings.maintain if each.end], at)


def keep_in_window(instance: Instance, end: float) -> None:
    """Have it awake until its window is over, for jobs of its own; once. end: from of_window()."""
    if not any(hold.who == WINDOW and hold.until == end for hold in holds.holds(instance)):
        holds.take(instance, end=holds.at(end), who=WINDOW)


def require_known(hours: Sequence[Hours]) -> None:
    """Raise SockwakeError (usage) when systemd does not know a date or a zone."""
    for each in hours:
        for event in (each.begin, each.end):
            calendars.elapses(event, 0.0)


def _ends(hours: Hours, at: float) -> Iterator[float]:
    """The ends of these hours, of those that have begun and are not over.

    One that is left out, where clocks are set forward, comes a day later for systemd: they are over
    when they have been as long as on any other day.
    """
    length = _length(hours)
    for begin in calendars.elapses(hours.begin, at - _LONGEST, _A_DAY + 1):
        for found in calendars.elapses(hours.end, begin):
            end = found if found <= begin + length + _SET_BACK else begin + length
            if begin <= at < end:
                yield end


def _length(hours: Hours) -> int:
    """The seconds from begin to end where no clock is set; a day when these are the same."""
    begin, end = map(_of_the_day, (hours.begin, hours.end))
    return (end - begin - 1) % 86_400 + 1


def _of_the_day(event: str) -> int:
    """The seconds since midnight of the time in an event."""
    words = next(word for word in event.split() if ":" in word).split(":")
    return sum(int(word) * unit for word, unit in zip(words, (3600, 60, 1)))
