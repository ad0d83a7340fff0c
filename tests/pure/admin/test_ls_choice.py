"""sockwake ls of some instances: names, wildcards, filters; its table without titles; --watch."""

import json
import os
import pty
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from env_file import CONTAINER, env, text_of
from sockwake.admin import words
from sockwake.admin.show import filters, ls, table, times
from sockwake.config.settings import load
from sockwake.errors import UNKNOWN, USAGE
from sockwake.lifecycle import wakes
from tree import SOCKWAKE, SOURCE, Tree


@pytest.fixture
def some(tree: Tree) -> Tree:
    for number, name in enumerate(("shop", "shop-test", "web")):
        of_kind = env if name != "web" else lambda **keys: text_of(CONTAINER, **keys)
        tree.write_env(name, of_kind(PORT=str(26000 + number), LISTEN="127.0.0.1,::1"))
    tree.write_env("x", "PORT=x")
    return tree


def listed(tree: Tree, *arguments: str) -> list[str]:
    ran = tree.sockwake("ls", "--json", *arguments)
    assert (ran.status, ran.stderr) == (0, ""), ran
    return [row["name"] for row in json.loads(ran.stdout)]


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["shop"], ["shop"]),
        (["web", "shop*"], ["shop", "shop-test", "web"]),
        (["--filter", "kind=postgres"], ["shop", "shop-test"]),
        (["--filter", "name=*-test", "--filter", "name=w?b"], ["shop-test", "web"]),
        (["--filter", "kind=postgres", "--filter", "name=shop"], ["shop"]),
        (["--filter", "listen=::1", "*test"], ["shop-test"]),
        (["--filter", "tls=false", "--filter", "image=ngin[x]"], ["web"]),
        (["--filter", "error=*KIND*"], ["x"]),
        (["--filter", "memory_bytes=0", "--filter", "next_sleep="], ["shop", "shop-test", "web"]),
        (["--filter", "state=asleep"], []),
    ],
)
def test_names_wildcards_and_filters_choose(
    some: Tree, arguments: list[str], names: list[str]
) -> None:
    assert listed(some, *arguments) == names


@pytest.mark.parametrize(
    ("arguments", "status", "message", "hint"),
    [
        (
            ["nosuch"],
            UNKNOWN,
            "there is no instance 'nosuch'",
            "sockwake ls{} shows those there are",
        ),
        (["web", "y*"], UNKNOWN, "no instance is called like 'y*'", "sockwake ls{}"),
        (["--filter", "state"], USAGE, "filter 'state' is not KEY=VALUE", "as in state=asleep"),
        (
            ["--filter", "stat=asleep"],
            USAGE,
            "there is no key 'stat' to filter by",
            f"is it state or state_since? there are {', '.join(filters.KEYS)}",
        ),
        (["--watch"], USAGE, "--watch needs a terminal", "sockwake ls{} --json is for programs"),
    ],
)
def test_what_is_not_there_is_an_error(
    some: Tree, arguments: list[str], status: int, message: str, hint: str
) -> None:
    ran = some.sockwake("ls", *arguments)
    said = f"sockwake: error: {message}\n(hint: {hint.format(f' --root {some}')})\n"
    assert (ran.status, ran.stdout, ran.stderr) == (status, "", said)


def test_every_key_of_a_row_can_be_filtered_by(some: Tree) -> None:
    rows = json.loads(some.sockwake("ls", "--json").stdout)
    assert {key for row in rows for key in row} <= set(filters.KEYS)
    assert filters.chosen(rows, [("error", "*")]) == rows and filters.chosen(rows, []) == rows


def test_without_titles_each_line_is_an_instance(some: Tree) -> None:
    lines = some.sockwake("ls", "-h", "shop*").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["shop", "shop-test"]
    assert some.sockwake("ls", "-h", "--filter", "state=asleep").stdout == ""
    assert some.sockwake("ls", "--filter", "state=asleep").stdout == "There is no such instance.\n"
    assert "usage: sockwake ls" in some.sockwake("ls", "--help").stdout


def on_a_terminal(tree: Tree, *arguments: str, end: str, **environment: str) -> tuple[int, str]:
    """Run ls with a terminal as its stdout; (status, what was shown). end: send SIGINT after it."""
    ours, theirs = pty.openpty()
    variables = {"TERM": "xterm", "PATH": os.environ["PATH"], **environment}
    argv = [*SOCKWAKE, "ls", "--root", str(tree), *arguments]
    child = subprocess.Popen(argv, stdout=theirs, stdin=subprocess.DEVNULL, env=variables)
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 4096):
            shown += chunk
            if end and end.encode() in shown:
                child.send_signal(signal.SIGINT)
                end = ""
    except OSError:  # EIO: the other side has closed
        pass
    os.close(ours)
    return child.wait(30), shown.decode()


def test_states_have_colours_on_a_terminal_that_has_them(some: Tree) -> None:
    status, shown = on_a_terminal(some, end="")
    assert status == 0
    assert re.search(r"^shop  .*  \x1b\[2moff   \x1b\[0m  ", shown, re.MULTILINE), shown
    assert re.search(r"^x  .*  \x1b\[31mbroken\x1b\[0m  ", shown, re.MULTILINE), shown
    assert "\x1b" not in some.sockwake("ls").stdout
    for plain in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert "\x1b" not in on_a_terminal(some, end="", **plain)[1]


def test_it_is_kept_current_until_ctrl_c(some: Tree) -> None:
    status, shown = on_a_terminal(some, "--watch", "shop*", end="shop-test")
    assert status == 0 and "Traceback" not in shown and "error" not in shown
    assert shown.startswith("\x1b[?1049h") and shown.endswith("\x1b[?1049l"), repr(shown)
    assert some.sockwake("ls", "--watch", "--json").status == USAGE


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0B"),
        (1023, "1023B"),
        (1024, "1.0K"),
        (35_756_442, "34.1M"),
        (500 << 20, "500M"),
        (3 << 40, "3.0T"),
        (5000 << 40, "5000T"),
        (None, ""),
    ],
)
def test_a_size_is_in_one_unit(count: int | None, shown: str) -> None:
    assert words.size(count) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0s"), (119, "119s"), (120, "2min"), (7200, "2h"), (172_799, "47h"), (172_800, "2d")],
)
def test_a_span_is_in_one_unit(seconds: float, shown: str) -> None:
    assert times.span(seconds) == shown


def test_when_it_sleeps_is_told_from_what_the_monitor_notes(tree: Tree) -> None:
    instance = tree.write_env("pg1", env(IDLE="2min"))
    settings = load(instance)
    assert ls._next_sleep(instance, settings) is None
    Path(instance.run).mkdir(parents=True)
    Path(instance.last_visit).write_text(f"{time.monotonic() - 20:017.3f}\n")
    moment = times.moment(ls._next_sleep(instance, settings))
    assert moment is not None and 95 < moment - time.time() <= 100
    row = {"state": "awake", "next_sleep": moment, "idle": "120s"}
    assert re.fullmatch(r"in (99|9\d|100)s", table.sleeps(row))
    assert table.sleeps(row | {"next_sleep": times.moment(wakes.now() - 5)}) == "now"
    assert table.sleeps(row | {"next_sleep": None}) == ""
    assert table.sleeps(row | {"next_sleep": None, "idle": "infinity"}) == "never"
    assert json.dumps(moment).isdigit()


def test_the_readme_shows_the_columns_that_there_are() -> None:
    titles = table.text([]).split()
    assert titles == next(
        line.split() for line in (SOURCE / "README.md").read_text().splitlines() if "NAME  " in line
    )
