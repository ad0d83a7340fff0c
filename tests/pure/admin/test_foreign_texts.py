"""What others have chosen reaches no terminal as it is: queries, programs, names, files."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from leaving import SHOP, SURVEY, files, found, plan, source

from env_file import env
from sockwake.admin import columns
from sockwake.admin.each import do_to_each
from sockwake.admin.leave import export_text
from sockwake.admin.leave.export import Found
from sockwake.admin.measure import history
from sockwake.admin.measure.events import FAILURE, Event
from sockwake.admin.show import status, status_text, table
from sockwake.admin.show.doctor import table as doctor
from sockwake.admin.show.doctor.finding import Finding
from sockwake.admin.show.doctor.finding import Found as Diagnosis
from sockwake.clients import visitors
from sockwake.config.instance import Name
from sockwake.config.settings import load
from sockwake.errors import SockwakeError
from tree import Tree

# clears the screen, gives the window another title, writes over the line, and from right to left
EVIL = "a\x1b[2J\x1b]0;root\x07\rb\n\x9bm\u202ec"
SHOWN = r"a\x1b[2J\x1b]0;root\x07\rb\n\x9bm\u202ec"


def is_harmless(text: str) -> bool:
    """Whether a terminal only writes it, on the lines that it has."""
    return all(line.isprintable() for line in text.rstrip("\n").split("\n"))


@contextmanager
def called(name: str) -> Iterator[None]:
    """This process under another name, as every process may give itself one."""
    with open("/proc/self/comm", "r+", encoding="utf-8") as file:
        before = file.read().rstrip("\n")
    try:
        with open("/proc/self/comm", "w", encoding="utf-8") as file:
            file.write(name)
        yield
    finally:
        with open("/proc/self/comm", "w", encoding="utf-8") as file:
            file.write(before)


def test_status_shows_queries_users_and_programs_with_escapes(tree: Tree) -> None:
    chosen = dict.fromkeys(("user", "database", "application", "query"), EVIL)
    times = {"state_seconds": 1, "transaction_seconds": None}
    session = {"pid": 1, "client_port": -1, "state": "active", **chosen, **times}
    with socket.create_server(("127.0.0.1", 0)) as server, called("\x1b[8m\x07"):
        port = server.getsockname()[1]
        instance = tree.write_env("pg1", env(LISTEN="127.0.0.1", PORT=str(port)))
        settings = load(instance)
        facts = status.of(instance, settings)
        with socket.create_connection(("127.0.0.1", port)):
            clients = [each.facts() for each in visitors.each(settings)]
    more = {"sessions": [session], "connections": clients, "error": EVIL, "sessions_error": EVIL}
    text = status_text.text(facts | more, instance, settings)
    assert is_harmless(text), text
    assert r"(\x1b[8m\x07, process " in text and r"\x9bm\u202ec: active for 1s: a\x1b" in text
    assert f"  failure     {SHOWN}" in text.split("\n")


def test_tables_lists_and_findings_are_escaped() -> None:
    lines = columns.aligned([("NAME", "WHY"), (EVIL, "x")])
    assert all(map(is_harmless, lines)) and lines[1] == f"{SHOWN}  x"
    assert lines[0].index("WHY") == len(SHOWN) + 2, "as wide as it is shown"
    told = history.listing([Event(1, "a", FAILURE, why=EVIL)], [])
    assert is_harmless(history.table(told, has_header=True))
    row: dict[str, object] = {"name": "a", "state": "failed", "error": EVIL}
    assert is_harmless(table.text([row]))
    assert "\x1b[31mfailed" in table.text([row], coloured=True), "its own colours are left"
    for fixed in (False, True):
        finding = Finding(f"{EVIL} is no instance's", f"rm {EVIL}")
        assert is_harmless(doctor.line(Diagnosis("directory", finding, fixed, EVIL)))


def test_what_an_export_has_found_is_escaped_in_its_readme_too() -> None:
    survey = replace(SURVEY, databases=(replace(SHOP, name=EVIL, encoding="SQL_ASCII"),))
    points = found("compose", survey)
    text = export_text.points(Found(source(survey), plan("compose"), points, []))
    assert is_harmless(text) and f"database {SHOWN} has SQL_ASCII" in text
    assert is_harmless(files("compose", survey=survey)["README"].text)


def test_errors_with_their_hints_and_what_was_done_are_escaped(
    capsys: pytest.CaptureFixture[str],
) -> None:
    problem = SockwakeError(f"no '{EVIL}'", f"it has {EVIL}", said=EVIL)
    assert str(problem) == f"sockwake: error: no '{SHOWN}': {SHOWN}\n(hint: it has {SHOWN})"
    do_to_each([Name("a")], lambda name: f"{name} had {EVIL}", "done", quiet=False)
    assert capsys.readouterr().out == f"a had {SHOWN}.\n"
