"""Times in systemd's calendar terms (systemd.time(7)), which systemd-analyze(1) works out."""

import calendar
import re
import time

from sockwake.errors import USAGE, SockwakeError
from sockwake.system import process

_UTC = "(in UTC): "
_TIME = re.compile(r": \w{3} (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)")
_SECONDS = re.compile(r"UNIX seconds: @([\d.]+)")


def elapses(event: str, after: float, most: int = 1) -> list[float]:
    """The next times, at most so many, of a calendar event, in seconds since 1970.

    after: they come later than that. Raises SockwakeError (usage) for what is no calendar event.
    """
    argv = ["systemd-analyze", "calendar", f"--base-time=@{after:.6f}", f"--iterations={most}"]
    try:
        said = process.run([*argv, "--", event])
    except process.ProgramError:
        raise SockwakeError(
            f"'{event}' is no time in systemd's calendar terms",
            "systemd-analyze calendar tells what it makes of one",
            USAGE,
        ) from None
    lines = said.partition("Next elapse")[2].splitlines()
    # a zone whose time is always that of UTC has no such lines, whatever it calls itself, as GMT
    in_utc = [line for line in lines if _UTC in line]
    found = _TIME.findall("\n".join(in_utc or lines))
    return [float(calendar.timegm(time.strptime(each, "%Y-%m-%d %H:%M:%S"))) for each in found]


def moment(text: str) -> float:
    """The next time that text names, as in 18:00, Mon 08:00, tomorrow or +2h.

    Raises SockwakeError (usage) for one that is over, and for what systemd does not understand.
    """
    now = time.time()
    try:
        found = elapses(text, now)
    except SockwakeError:
        said = process.run(["systemd-analyze", "timestamp", "--", text], check=False)
        if not (match := _SECONDS.search(said)):
            raise
        found = [float(match[1])]
    if not found or found[0] <= now:
        raise SockwakeError(f"the time '{text}' is over", status=USAGE)
    return found[0]
