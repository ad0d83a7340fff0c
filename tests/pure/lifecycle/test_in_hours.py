"""Whether it is time to be awake: by days, over midnight, without gaps, and when clocks are set."""

import calendar
import os
import shutil
import time

import pytest

from sockwake.config import hours as texts
from sockwake.errors import SockwakeError
from sockwake.lifecycle import hours

pytestmark = pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed"
)
needs_zones = pytest.mark.skipif(
    not os.path.exists("/usr/share/zoneinfo/Europe/Berlin"), reason="tzdata is not installed"
)
OFFICE = "Mon..Fri 08:00-18:00 UTC"
NIGHT = "Fri 22:00-06:00 UTC"
WEEKEND = "Sat,Sun 00:00-24:00 UTC"
SUNDAY = "Sun 00:00-08:00 Europe/Berlin"


def at(text: str) -> float:
    """Seconds since 1970 of a time in UTC."""
    return float(calendar.timegm(time.strptime(text, "%Y-%m-%d %H:%M")))


@pytest.mark.parametrize(
    ("text", "now", "end"),
    [
        (OFFICE, "2026-11-27 07:59", ""),
        (OFFICE, "2026-11-27 08:00", "2026-11-27 18:00"),
        (OFFICE, "2026-11-27 17:59", "2026-11-27 18:00"),
        (OFFICE, "2026-11-27 18:00", ""),
        (OFFICE, "2026-11-28 12:00", ""),
        (NIGHT, "2026-11-27 23:00", "2026-11-28 06:00"),
        (NIGHT, "2026-11-28 05:59", "2026-11-28 06:00"),
        (NIGHT, "2026-11-28 06:00", ""),
        (NIGHT, "2026-11-29 05:00", ""),
        (WEEKEND, "2026-11-28 12:00", "2026-11-30 00:00"),
        (WEEKEND, "2026-11-30 00:00", ""),
        (f"{OFFICE} | Fri 18:00-19:30 UTC", "2026-11-27 17:00", "2026-11-27 19:30"),
        (f"{OFFICE} | Fri 12:00-19:30 UTC", "2026-11-27 13:00", "2026-11-27 19:30"),
        ("2026-12-24 08:00-12:00 UTC", "2026-12-24 09:00", "2026-12-24 12:00"),
        ("2026-12-24 08:00-12:00 UTC", "2027-12-24 09:00", ""),
    ],
)
def test_they_are_over_at(text: str, now: str, end: str) -> None:
    assert hours.until(texts.parse(text), at(now)) == (at(end) if end else None)


@needs_zones
@pytest.mark.parametrize(
    ("text", "now", "end"),
    [
        (SUNDAY, "2026-03-28 23:30", "2026-03-29 06:00"),  # clocks are set from 2 to 3
        (SUNDAY, "2026-10-24 22:30", "2026-10-25 07:00"),  # and from 3 to 2
        ("Sun 00:00-24:00 Europe/Berlin", "2026-10-25 22:45", "2026-10-25 23:00"),  # 25 hours
        ("Sun 02:30-04:00 Europe/Berlin", "2026-10-25 02:15", "2026-10-25 03:00"),
        # ends that are left out
        ("01:00-02:30 Europe/Berlin", "2026-03-29 00:30", "2026-03-29 01:30"),
        ("01:00-02:30 Europe/Berlin", "2026-03-29 01:30", ""),
        ("22:00-02:30 Europe/Berlin", "2026-03-29 12:00", ""),
        ("02:30-02:30 Europe/Berlin", "2026-03-28 12:00", "2026-03-29 01:30"),
        ("08:00-18:00 America/New_York", "2026-07-01 12:30", "2026-07-01 22:00"),
        ("08:00-18:00 America/New_York", "2026-12-01 12:30", ""),
    ],
)
def test_a_zone_has_its_own_days(text: str, now: str, end: str) -> None:
    assert hours.until(texts.parse(text), at(now)) == (at(end) if end else None)


def test_hours_without_end_are_looked_at_again() -> None:
    end = hours.until(texts.parse("00:00-24:00 UTC"), at("2026-11-27 12:00"))
    assert end and end - at("2026-11-27 12:00") > 7 * 86400


@pytest.mark.parametrize("text", ["Mox 08:00-18:00", "08:00-18:00 Mars/Olympus"])
def test_a_date_that_systemd_does_not_know_is_refused(text: str) -> None:
    with pytest.raises(SockwakeError, match="is no time in systemd's calendar terms"):
        hours.require_known(texts.parse(text))
