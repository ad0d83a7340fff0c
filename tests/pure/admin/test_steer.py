"""wake, sleep, is-awake, keep and release: what they take, and what they refuse."""

import json
from pathlib import Path

import pytest
from refusals import told

from sockwake.admin import cli
from sockwake.admin.steer import keep, wake
from sockwake.errors import UNKNOWN, USAGE
from sockwake.lifecycle import holds
from sockwake.lifecycle.hold import Hold
from sockwake.system import calendars, process
from tree import SOCKWAKE, run

NO_NAMES = told("say which instances", "sockwake ls lists them")


def fails(*arguments: str, status: int = USAGE) -> str:
    """What it says on stderr."""
    ran = run(*SOCKWAKE, *arguments)
    assert (ran.status, ran.stdout) == (status, ""), ran
    return ran.stderr


@pytest.mark.parametrize("verb", ["wake", "start", "sleep", "stop", "is-awake", "release"])
def test_which_instances_must_be_said(verb: str) -> None:
    assert fails(verb) == NO_NAMES
    assert fails(verb, "none*", status=UNKNOWN) == told(
        "no instance is called like 'none*'", "sockwake ls"
    )


@pytest.mark.parametrize("verb", ["wake", "start", "sleep", "stop", "is-awake", "keep", "release"])
def test_a_tree_that_does_not_run_is_refused(verb: str) -> None:
    called = {"start": "wake", "stop": "sleep"}.get(verb, verb)
    sentence = f"'sockwake {called}' works on a system that runs, and on no tree (--root)"
    assert fails(verb, "shop", "--root", "/tmp") == told(sentence, "")
    assert fails(verb, "--root=/tmp", "shop") == told(sentence, "")


def test_all_of_release_is_every_hold_and_not_every_instance() -> None:
    shown = run(*SOCKWAKE, "release", "--help").stdout
    assert "every hold of these instances" in shown and "every instance" not in shown
    assert fails("release", "--all") == NO_NAMES


@pytest.mark.parametrize("verb", ["wake", "sleep"])
def test_waiting_or_not(verb: str) -> None:
    for other in (["--wait"], ["--timeout", "2s"]):
        assert fails(verb, "shop", "--no-block", *other) == told(
            f"--no-block and {other[0]} exclude each other", ""
        )
    assert "is not a time span" in fails(verb, "shop", "--timeout", "soon")
    assert fails(verb, "shop", "--timeout", "0") == told(
        "the time '0' is no longer than nothing", ""
    )


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["shop", "--json"], "--json is for the list, which takes no name", ""),
        (["--for", "2h"], "say which instances", "sockwake ls lists them"),
        (["--", "true"], "say which instances", "sockwake ls lists them"),
        (["shop", "--"], "there is no command behind '--'", "sockwake keep --help"),
        (["shop", "--for", "1h", "--until", "18:00"], "--for and --until exclude each other", ""),
        (["shop", "--for", "0s"], "the time '0s' is no longer than nothing", ""),
        (["Shop", "--for", "1h"], "instance name 'Shop' is not valid: ", ""),
    ],
)
def test_keep_refuses(arguments: list[str], message: str, hint: str) -> None:
    said = fails("keep", *arguments)
    assert said.startswith(f"sockwake: error: {message}")
    assert (f"(hint: {hint})" in said) == bool(hint)


def test_what_is_behind_two_dashes_is_the_command_s(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []
    monkeypatch.setattr(keep, "run", lambda *given: seen.extend(given))
    command = ["sh", "-c", "exit 7", "--", "--until", "x"]
    assert cli.main(["keep", "a", "b", "--reason", "why", "--", *command]) == 0
    assert seen == [["a", "b"], "why", "", command]


def test_a_time_span_goes_by_no_clock_and_a_time_of_day_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(holds, "uptime", lambda: 1000.5)
    monkeypatch.setattr(calendars, "moment", lambda text: 1795885200.2)
    assert keep.end_of(60.0, "") == "1061" and keep.end_of(None, "18:00") == "@1795885201"
    assert keep.end_of(float("inf"), "") == keep.end_of(None, "") == ""


def test_release_takes_names_and_numbers() -> None:
    assert keep.split(["shop", "2", "wiki", "11"]) == (["shop", "wiki"], [2, 11])
    assert fails("release", "shop", "2", "--all") == told(
        "--all and numbers exclude each other", ""
    )


def test_unknown_instances_are_told(tmp_path: Path) -> None:
    for verb in ("wake", "sleep", "keep", "release"):
        said = fails(verb, "no-such-instance", status=UNKNOWN)
        assert said.startswith("sockwake: error: there is no instance 'no-such-instance'\n")


def test_is_awake_says_unknown_where_systemctl_does() -> None:
    ran = run(*SOCKWAKE, "is-awake", "no-such-instance", "another")
    assert (ran.status, ran.stdout, ran.stderr) == (wake.UNKNOWN, "unknown\nunknown\n", "")
    ran = run(*SOCKWAKE, "is-awake", "-q", "no-such-instance")
    assert (ran.status, ran.stdout, ran.stderr) == (wake.UNKNOWN, "", "")


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["active"], 0),
        (["inactive", "active", "unknown"], 0),
        (["inactive"], 3),
        (["activating", "failed"], 3),
        (["unknown", "inactive"], 3),
        (["unknown"], 4),
    ],
)
def test_the_exit_status_is_that_of_systemctl(words: list[str], status: int) -> None:
    assert wake.status(words) == status


def test_holds_are_listed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one = Hold("shop", 2, "anna", since=0, tty="pts/1", reason="backup")
    monkeypatch.setattr(holds, "every", lambda: {"shop": [one]})
    assert cli.main(["keep"]) == 0
    title, line = capsys.readouterr().out.splitlines()
    assert title.split() == ["NAME", "ID", "WHO", "SINCE", "UNTIL", "REASON"]
    assert line.startswith("shop  2   anna (pts/1)  1970-01-01 ") and line.endswith(
        " -      backup"
    )
    assert cli.main(["keep", "-h"]) == 0
    assert capsys.readouterr().out.split()[:3] == ["shop", "2", "anna"]
    assert cli.main(["keep", "--json"]) == 0
    facts = {"who": "anna", "pid": None, "tty": "pts/1", "since": 0, "until": None}
    expected = [{"name": "shop", "id": 2, **facts, "reason": "backup"}]
    assert json.loads(capsys.readouterr().out) == expected


def test_without_holds_the_list_is_empty() -> None:
    ran = run(*SOCKWAKE, "keep", "--json")
    assert (ran.status, json.loads(ran.stdout)) == (0, [])
    assert run(*SOCKWAKE, "keep", "-h").stdout == ""
    assert run(*SOCKWAKE, "keep").stdout.startswith("No instance is kept awake.")


def test_times_of_a_zone_that_is_always_utc_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """As of Iceland, Ghana and the Ivory Coast: systemd tells no times in UTC beside them."""
    said = """  Original form: Sat 2026-11-28 18:00
    Next elapse: Sat 2026-11-28 18:00:00 GMT
       From now: 1h left
   Iteration #2: Sun 2026-11-29 18:00:00.500 GMT
       From now: 1 day 1h left
"""
    monkeypatch.setattr(process, "run", lambda *_, **__: said)
    assert calendars.elapses("18:00", 0, 2) == [1795888800.0, 1795975200.0]


def test_times_are_systemd_s(monkeypatch: pytest.MonkeyPatch) -> None:
    said = """  Original form: 18:00
Normalized form: *-*-* 18:00:00
    Next elapse: Sat 2026-11-28 18:00:00 CET
       (in UTC): Sat 2026-11-28 17:00:00 UTC
       From now: 1h left
       Iter. #2: Sun 2026-11-29 18:00:00 CET
       (in UTC): Sun 2026-11-29 17:00:00 UTC
"""
    monkeypatch.setattr(process, "run", lambda *_, **__: said)
    assert calendars.elapses("18:00", 0, 2) == [1795885200.0, 1795971600.0]
