"""The hours in which an instance is kept awake: KEEP=[DATE] BEGIN-END [ZONE] | …

sockwake-generator reads the same in sh. Whether systemd knows date and zone, systemd itself tells.
"""

from __future__ import annotations

from sockwake.errors import USAGE, SockwakeError

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_OF_A_DATE = f"{_LETTERS}.,*/~-"
_OF_A_ZONE = f"{_LETTERS}/_+-"


class Hours:
    """Some hours, in systemd's calendar terms.

    begin: the event with which they begin. end: that with which they end, the next behind it.
    """

    __slots__ = ("begin", "end")

    def __init__(self, begin: str, end: str) -> None:
        self.begin = begin
        self.end = end


def parse(text: str) -> tuple[Hours, ...]:
    """The hours in the value of KEEP=; raises SockwakeError (usage)."""
    return tuple(parse_one(item.strip(), "KEEP") for item in text.split("|"))


def parse_one(item: str, key: str) -> Hours:
    """The hours in an item of the value of a key; raises SockwakeError (usage)."""
    words = item.split()
    place = next((n for n, word in enumerate(words) if ":" in word), len(words))
    dates, zones = words[:place], words[place + 1 :]
    begin, dash, end = words[place].partition("-") if place < len(words) else ("", "", "")
    is_valid = (
        dash
        and _is_time(begin)
        and (_is_time(end) or end == "24:00")
        and len(dates) <= 2
        and len(zones) <= 1
        and not "".join(dates).strip(_OF_A_DATE)
        and not "".join(zones).strip(_OF_A_ZONE)
    )
    if not is_valid:
        raise SockwakeError(
            f"'{item}' in {key} tells no hours", "write them as in Mon..Fri 08:00-18:00", USAGE
        )
    end = "00:00" if end == "24:00" else end
    return Hours(" ".join((*dates, begin, *zones)), " ".join((end, *zones)))


def _is_time(text: str) -> bool:
    parts = text.split(":")
    limits = (23, 59, 59)
    return len(parts) in (2, 3) and all(
        len(part) == 2 and part.isascii() and part.isdigit() and int(part) <= limit
        for part, limit in zip(parts, limits)
    )
