"""KEEP=: which texts tell hours, read alike by the generator and by everything else."""

import re
from pathlib import Path

import pytest

from env_file import env
from generator import generate
from sockwake.config import hours
from sockwake.config.instance import Instance, Name
from sockwake.config.settings import Settings
from sockwake.errors import SockwakeError

HOURS = {
    "08:00-18:00": [("08:00", "18:00")],
    "Mon..Fri 08:00-18:00": [("Mon..Fri 08:00", "18:00")],
    "Mon..Fri 08:00:30-18:15:00": [("Mon..Fri 08:00:30", "18:15:00")],
    "Sat,Sun 00:00-24:00": [("Sat,Sun 00:00", "00:00")],
    "Fri *-*-1..7 22:00-06:00": [("Fri *-*-1..7 22:00", "06:00")],
    "2026-12-24 08:00-12:00 Europe/Berlin": [
        ("2026-12-24 08:00 Europe/Berlin", "12:00 Europe/Berlin")
    ],
    "08:00-09:00 America/Port-au-Prince": [
        ("08:00 America/Port-au-Prince", "09:00 America/Port-au-Prince")
    ],
    "Mon 08:00-12:00 Etc/GMT-5 | Tue 13:00-14:00|20:00-21:00": [
        ("Mon 08:00 Etc/GMT-5", "12:00 Etc/GMT-5"),
        ("Tue 13:00", "14:00"),
        ("20:00", "21:00"),
    ],
}
NONE = [
    "always",
    "08:00",
    "08:00-",
    "8:00-18:00",
    "24:00-08:00",
    "08:00-25:00",
    "08:60-09:00",
    "08:00-18:00 |",
    "| 08:00-18:00",
    "Mon Tue Wed 08:00-18:00",
    "08:00-18:00 Europe/Berlin please",
    "08:00-18:00-19:00",
    "%n 08:00-18:00",
    "Mon.. 0８:00-18:00",
]


def settings(text: str) -> Settings:
    return Settings(env(KEEP=text), Instance(Name("a")))


@pytest.mark.parametrize("text", HOURS)
def test_hours_begin_and_end_with_events(text: str, tmp_path: Path) -> None:
    assert [(each.begin, each.end) for each in settings(text).keep] == HOURS[text]
    ran, files = generate(tmp_path, {b"a": env(KEEP=text).encode()})
    events = re.findall(r"^OnCalendar=(.*)$", files["pg-hours@a.timer.d/hours.conf"].decode(), 8)
    assert events == [event for both in HOURS[text] for event in both]
    assert (ran.status, ran.stderr) == (0, "")
    socket = files["pg-proxy@a.socket.d/hours.conf"].decode()
    assert socket == "[Unit]\nUpholds=pg-hours@a.timer\nWants=pg-hours@a.service\n"


@pytest.mark.parametrize("text", NONE)
def test_other_texts_tell_none(text: str) -> None:
    with pytest.raises(SockwakeError, match="in KEEP tells no hours"):
        hours.parse(text)
    with pytest.raises(SockwakeError, match="instance.env: .* in KEEP tells no hours"):
        settings(text)


def test_what_systemd_would_read_otherwise_gets_no_timer(tmp_path: Path) -> None:
    ran, files = generate(tmp_path, {b"a": env(KEEP="%n 08:00-18:00").encode()})
    assert [path for path in files if "hours" in path] == []
    assert ran.stderr.endswith("/a/instance.env: KEEP cannot be used\n")


def test_without_keep_there_is_no_timer(tmp_path: Path) -> None:
    _, files = generate(tmp_path, {b"a": env().encode()})
    assert [path for path in files if "hours" in path] == [] and settings("").keep == ()
