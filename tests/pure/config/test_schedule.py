"""BACKUP=, KEEP_BACKUPS=, MAINTAIN=: which texts tell times, read alike by the generator."""

import re
from pathlib import Path

import pytest

from env_file import CONTAINER, env, text_of
from generator import generate
from sockwake.config import schedule
from sockwake.config.instance import Instance, Name
from sockwake.config.settings import Settings
from sockwake.errors import SockwakeError

ASLEEP = "pg-postgres@a.service.d/backup.conf"
MISSED = "sockwake.target.d/backups.conf"
SOCKET = "pg-proxy@a.socket.d/upkeep.conf"
BACKUPS = {
    "no": ([], False),
    "on-sleep": ([], True),
    "daily": (["daily"], False),
    "on-sleep | Sun 03:00": (["Sun 03:00"], True),
    "03:00 America/Port-au-Prince|2026-12-24 08:00": (
        ["03:00 America/Port-au-Prince", "2026-12-24 08:00"],
        False,
    ),
}
WINDOWS = {
    "no": [],
    "Sun 03:00": [("Sun 03:00", "")],
    "Sun 03:00-03:30": [("Sun 03:00", "03:30")],
    "*-*-01 23:00-24:00 Europe/Berlin | weekly": [
        ("*-*-01 23:00 Europe/Berlin", "00:00 Europe/Berlin"),
        ("weekly", ""),
    ],
}
NO_TIMES = ["on sleep %n", "|", "daily |", "no | daily", "Sun 03:00;", "-", "(daily)"]


def settings(**lines: str) -> Settings:
    return Settings(env(**lines), Instance(Name("a")))


def events(files: dict[str, bytes], unit: str) -> list[str]:
    text = files.get(f"{unit}@a.timer.d/events.conf", b"").decode()
    return re.findall(r"^OnCalendar=(.*)$", text, re.MULTILINE)


@pytest.mark.parametrize("text", BACKUPS)
def test_backups_are_made_at_times_and_when_it_sleeps(text: str, tmp_path: Path) -> None:
    times, on_sleep = BACKUPS[text]
    told = settings(BACKUP=text).backup
    assert [each for each in told if each != schedule.ON_SLEEP] == times
    assert (schedule.ON_SLEEP in told) == on_sleep
    ran, files = generate(tmp_path, {b"a": env(BACKUP=text).encode()})
    assert (ran.status, ran.stderr) == (0, "")
    assert events(files, "pg-backup") == times
    assert files.get(ASLEEP) == (b"[Unit]\nOnSuccess=pg-backup@a.service\n" if on_sleep else None)
    # behind a boot, too: no backup follows the sleep of a shutdown
    assert files.get(MISSED) == (b"[Unit]\nWants=pg-backup@a.service\n" if on_sleep else None)
    upheld = b"[Unit]\nUpholds=pg-backup@a.timer\n" if times else None
    assert files.get(SOCKET) == upheld


@pytest.mark.parametrize("text", WINDOWS)
def test_the_upkeep_begins_at_times_or_has_hours(text: str, tmp_path: Path) -> None:
    assert [(each.begin, each.end) for each in settings(MAINTAIN=text).maintain] == WINDOWS[text]
    ran, files = generate(tmp_path, {b"a": env(MAINTAIN=text).encode()})
    assert (ran.status, ran.stderr) == (0, "")
    assert events(files, "pg-maintain") == [begin for begin, _ in WINDOWS[text]]
    assert ASLEEP not in files and events(files, "pg-backup") == []


def test_both_timers_are_upheld_by_the_port(tmp_path: Path) -> None:
    _, files = generate(tmp_path, {b"a": env(BACKUP="daily", MAINTAIN="weekly").encode()})
    both = b"[Unit]\nUpholds=pg-backup@a.timer\nUpholds=pg-maintain@a.timer\n"
    assert files[SOCKET] == both


@pytest.mark.parametrize("key", ["BACKUP", "MAINTAIN"])
@pytest.mark.parametrize("text", NO_TIMES)
def test_other_texts_tell_no_time(key: str, text: str, tmp_path: Path) -> None:
    with pytest.raises(SockwakeError):
        settings(**{key: text})
    ran, files = generate(tmp_path, {b"a": env(**{key: text}).encode()})
    assert f"/a/instance.env: {key} cannot be used\n" in ran.stderr
    assert [path for path in files if ".timer" in path or path in (ASLEEP, SOCKET)] == []


@pytest.mark.parametrize(
    ("key", "text"), [("BACKUP", "Sun 03:00-04:00"), ("MAINTAIN", "on-sleep | daily")]
)
def test_what_the_other_key_takes_is_refused(key: str, text: str, tmp_path: Path) -> None:
    with pytest.raises(SockwakeError, match=f"in {key} tells no time"):
        settings(**{key: text})
    ran, files = generate(tmp_path, {b"a": env(**{key: text}).encode()})
    assert ran.stderr.endswith(f"{key} cannot be used\n") and SOCKET not in files


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "٣", "1000000", "007", "all"])
def test_a_number_of_backups_is_a_number(text: str) -> None:
    with pytest.raises(SockwakeError, match="is not a number of backups"):
        settings(KEEP_BACKUPS=text)


def test_without_the_keys_nothing_is_done(tmp_path: Path) -> None:
    told = settings()
    assert (told.backup, told.keep_backups, told.maintain) == ((), 0, ())
    assert settings(KEEP_BACKUPS="7").keep_backups == 7
    _, files = generate(tmp_path, {b"a": env().encode()})
    assert [path for path in files if "backup" in path or "maintain" in path] == []


def test_only_a_cluster_is_maintained() -> None:
    with pytest.raises(SockwakeError, match="MAINTAIN is not for an instance of kind 'container'"):
        Settings(text_of(CONTAINER, MAINTAIN="daily"), Instance(Name("a")))
    assert Settings(text_of(CONTAINER, BACKUP="daily"), Instance(Name("a"))).backup == ("daily",)
