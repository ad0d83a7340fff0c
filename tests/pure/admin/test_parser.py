"""The parser of the one verb that is named says what that of all verbs would say."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from sockwake.admin import parser
from sockwake.admin.verbs import VERBS
from sockwake.errors import SockwakeError

TAILS: tuple[tuple[str, ...], ...] = (
    (),
    ("--help",),
    ("x",),
    ("x", "y"),
    ("x", "--bogus"),
    ("--root", "/t", "x"),
    ("--user", "x"),
    ("x", "--", "true"),
    ("X Y",),
)
ALL = parser.build(VERBS)
NO_VERB = ("", "--help", "--version", "bogus", "cop", "backups --help", "images zz")


def said(parse: Callable[[], object], capsys: pytest.CaptureFixture[str]) -> object:
    try:
        return {key: repr(value) for key, value in vars(parse()).items()}
    except SockwakeError as error:
        return str(error), error.hint, error.status
    except SystemExit as end:
        return end.code, capsys.readouterr()


def same(words: Sequence[str], capsys: pytest.CaptureFixture[str]) -> None:
    of_one = said(lambda: parser.parse(VERBS, words), capsys)
    of_all = said(lambda: ALL.parse_args(parser._in_full(VERBS, words)), capsys)
    assert of_one == of_all


@pytest.mark.parametrize("name", [name for verb in VERBS for name in (verb.name, *verb.aliases)])
def test_the_parser_of_one_verb_is_that_of_all(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for tail in TAILS:
        same([*name.split(), *tail], capsys)


@pytest.mark.parametrize("line", NO_VERB)
def test_what_names_no_verb_is_answered_with_all_of_them(
    line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    same(line.split(), capsys)


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("logs --since -1h pg1", "-1h"),
        ("history pg1 --since -30min -n 5", "-30min"),
        ("report --since -1.5d", "-1.5d"),
    ],
)
def test_a_time_ago_is_a_value_and_no_option(line: str, value: str) -> None:
    """As journalctl(1) takes it, and as --help has it."""
    assert parser.parse(VERBS, line.split()).since == value


def test_what_begins_with_a_digit_behind_a_dash_is_named_in_the_error() -> None:
    for line in ("copy a b --port -1", "wake a --timeout -1"):
        with pytest.raises(SockwakeError, match="'-1' is not "):
            parser.parse(VERBS, line.split())
