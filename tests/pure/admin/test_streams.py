"""Output that cannot be written, and standard streams that are closed."""

import subprocess
from pathlib import Path

import pytest

from tree import SOCKWAKE, SOURCE, Ran, Tree

FULL = "cannot write the output: no space left on device"


def shell(script: str, *arguments: str) -> Ran:
    """Run a script of bash in which "$@" is sockwake with these arguments."""
    argv = ["bash", "-c", script, "bash", *SOCKWAKE, *arguments]
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=60)
    return Ran(tuple(argv), done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize(
    "words", [["ls"], ["ls", "--json"], ["--help"], ["--version"], ["ls", "--help"]]
)
def test_a_full_disk_is_told_in_a_sentence(words: list[str], tree: Tree) -> None:
    root = ["--root", str(tree)] if words[0] == "ls" else []
    ran = shell('"$@" >/dev/full', *words, *root)
    assert (ran.status, ran.stderr) == (1, f"sockwake: error: {FULL}\n"), ran


def test_more_than_is_kept_in_memory_is_written_or_told() -> None:
    ran = shell('"$@" >/dev/full', "new", "--help")
    assert ran.status == 1 and ran.stderr.count("\n") == 1, ran
    assert ran.stderr.endswith("no space left on device\n"), ran


def test_sockwake_new_tells_it_too() -> None:
    ran = shell(f"{SOURCE}/bin/sockwake-new --help >/dev/full")
    assert ran.status == 1 and ran.stderr.endswith("no space left on device\n"), ran


@pytest.mark.parametrize("words", [["ls"], ["--help"], ["new", "--help"]])
def test_a_reader_that_has_ended_is_no_news(words: list[str], tree: Tree) -> None:
    root = [] if words[-1] == "--help" else ["--root", str(tree)]
    with_reader_gone = '{ sleep 0.3; "$@"; echo "status $?" >&2; } | true'
    ran = shell(with_reader_gone, *words, *root)
    assert ran.stderr == "status 1\n", ran


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_no_failure(closed: str, tree: Tree) -> None:
    for words, status in ((["ls", "--root", str(tree)], 0), (["--help"], 0), (["nope"], 2)):
        ran = shell(f'"$@" {closed}', *words)
        assert ran.status == status and "Traceback" not in ran.stderr, ran


def test_no_file_gets_the_number_of_a_closed_stream(tree: Tree) -> None:
    ran = shell('"$@" <&- >&- 2>&-', "new", "pg1", "--version", "18", "--root", str(tree))
    assert ran.status == 0, ran
    text = Path(tree.instance("pg1").env_file).read_text()
    assert text.startswith("# The sockwake instance") and text.endswith("=postgres\n"), text


def test_an_error_that_cannot_be_said_keeps_its_status() -> None:
    assert shell('"$@" 2>/dev/full', "nope").status == 2
    ran = shell('{ "$@"; echo "status $?"; } 2> >(true)', "nope")
    assert ran.stdout == "status 2\n", ran
