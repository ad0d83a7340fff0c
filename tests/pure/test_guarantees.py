"""docs/guarantees.md: every promise names tests, and every test that it names exists."""

import re

import pytest

from tree import SOURCE

PAGE = (SOURCE / "docs/guarantees.md").read_text()
PROMISES = [line for line in PAGE.splitlines() if line.startswith("- ")]
FILE = re.compile(r"`((?:pure|system|machine|images)/[\w/]+\.py)`(?: \(([^)]*)\))?")


def test_there_are_promises() -> None:
    assert len(PROMISES) > 20


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise[2:60])
def test_each_is_one_sentence_and_names_tests_that_are_there(promise: str) -> None:
    named = FILE.findall(promise)
    assert named and promise.endswith((".", ")."))
    for path, names in named:
        there = set(
            re.findall(r"^def (test_\w+)", (SOURCE / "tests" / path).read_text(), re.MULTILINE)
        )
        asked = re.findall(r"`(test_\w+)`", names)
        assert asked and not set(asked) - there, path


def test_nothing_else_that_looks_like_a_test_is_named() -> None:
    within = {
        name
        for promise in PROMISES
        for _, names in FILE.findall(promise)
        for name in re.findall(r"test_\w+", names)
    }
    files = {
        path.rpartition("/")[2].removesuffix(".py")
        for promise in PROMISES
        for path, _ in FILE.findall(promise)
    }
    assert set(re.findall(r"\btest_\w+", PAGE)) <= within | files
