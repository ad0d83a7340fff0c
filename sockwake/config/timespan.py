"""Time spans as systemd.time(7) writes them."""

from sockwake.errors import USAGE, SockwakeError

INFINITY = float("inf")
_LONGEST = 1e9  # seconds, 30 years; the kernel's and systemd's limits are beyond

_UNITS = (
    (1e-6, ("us", "usec", "µs")),
    (1e-3, ("ms", "msec")),
    (1, ("", "s", "sec", "second", "seconds")),
    (60, ("m", "min", "minute", "minutes")),
    (3600, ("h", "hr", "hour", "hours")),
    (86400, ("d", "day", "days")),
    (604800, ("w", "week", "weeks")),
)
_SECONDS = {word: seconds for seconds, words in _UNITS for word in words}


def is_unit(word: str) -> bool:
    """Whether a word is a unit of time, as in "3 min"."""
    return word in _SECONDS


def parse(text: str) -> float:
    """Seconds of a span such as "3min", "1h 30min", "90" or "infinity".

    Raises SockwakeError (usage) for anything that systemd would refuse, and for months and years.
    """
    if text.strip() == "infinity":
        return INFINITY
    total, rest = 0.0, text.strip()
    while rest:
        number, rest = _leading(rest, "0123456789.")
        unit, rest = _leading(rest.lstrip(" "), "abcdefghijklmnopqrstuvwxyzµ")
        if not number or number.endswith(".") or number.count(".") > 1 or unit not in _SECONDS:
            raise _not_valid(text)
        total += float(number) * _SECONDS[unit]
        rest = rest.lstrip(" ")
    if not text.strip() or total > _LONGEST:
        raise _not_valid(text)
    return total


def _leading(text: str, alphabet: str) -> tuple[str, str]:
    length = len(text) - len(text.lstrip(alphabet))
    return text[:length], text[length:]


def _not_valid(text: str) -> SockwakeError:
    return SockwakeError(
        f"'{text}' is not a time span", "write it as in 90s, 3min, 1h 30min or infinity", USAGE
    )
