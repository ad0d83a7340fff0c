"""Time spans mean what systemd takes them for."""

import contextlib
import shutil

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fuzz import cases
from sockwake.config import timespan
from sockwake.errors import USAGE, SockwakeError
from tree import run

needs_systemd_analyze = pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed"
)

UNITS = [
    "",
    "us",
    "usec",
    "µs",
    "ms",
    "msec",
    "s",
    "sec",
    "second",
    "seconds",
    "m",
    "min",
    "minute",
    "minutes",
    "h",
    "hr",
    "hour",
    "hours",
    "d",
    "day",
    "days",
    "w",
    "week",
    "weeks",
]
NUMBERS = st.one_of(st.integers(0, 10**6).map(str), st.decimals(0, 1000, places=2).map(str))
SPANS = st.lists(
    st.tuples(
        NUMBERS, st.sampled_from(["", " "]), st.sampled_from(UNITS), st.sampled_from(["", " "])
    ),
    min_size=1,
    max_size=4,
).map(lambda parts: "".join(word for part in parts for word in part))


def systemd_seconds(text: str) -> float | None:
    """What systemd makes of a span, None when it refuses it."""
    ran = run("systemd-analyze", "timespan", "--", text, env={"LC_ALL": "C.UTF-8"})
    line = next((line for line in ran.stdout.splitlines() if "s: " in line), "")
    return int(line.split()[-1]) / 1e6 if line else None


@needs_systemd_analyze
@cases(40)
@given(st.one_of(SPANS, st.text("0123456789. smhdwin", min_size=1, max_size=8)))
@example("5.")
@example(".5")
@example("1h 30")
@example("1 2")
@example("1.5.2s")
@example("3.s")
@example("99999999999999999999s")
@example("1sms")
def test_what_is_accepted_means_to_systemd_the_same(text: str) -> None:
    try:
        seconds = timespan.parse(text)
    except SockwakeError:
        return
    assert systemd_seconds(text) == pytest.approx(
        seconds, abs=1e-5
    )  # it rounds each part down to µs


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("3min", 180),
        ("90", 90),
        ("1h 30min", 5400),
        ("1h30", 3630),
        ("1.5s", 1.5),
        ("250ms", 0.25),
        ("0", 0),
        ("2 weeks", 1209600),
        (" 5s ", 5),
        ("infinity", timespan.INFINITY),
        (".5", 0.5),
    ],
)
def test_common_spans(text: str, seconds: float) -> None:
    assert timespan.parse(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "abc",
        "-1",
        "5x",
        "1..5",
        ".",
        "5.",
        "3.s",
        "min",
        "1e3",
        "5 s s",
        "٣",
        "9" * 5000,
        "infinity 1",
        "1y",
        "5M",
    ],
    ids=lambda text: repr(text)[:12],
)
def test_the_error_names_the_value(text: str) -> None:
    with pytest.raises(SockwakeError, match="is not a time span") as caught:
        timespan.parse(text)
    assert f"'{text}'" in caught.value.message
    assert caught.value.status == USAGE


@given(st.text())
def test_no_text_is_more_than_an_error(text: str) -> None:
    with contextlib.suppress(SockwakeError):
        assert timespan.parse(text) >= 0
