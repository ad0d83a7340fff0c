"""instance.env is read and checked once per command, so that every answer is of one moment."""

import os
import sys
from collections import Counter
from pathlib import Path

import pytest

from env_file import env
from fault import undisturbed
from sockwake.admin import cli
from tree import Tree

OTHERS = ("good", "shop")


def reads(tree: Tree, note: Path, *arguments: str) -> Counter[str]:
    """Run a command that must succeed; count how often it opened each instance.env for reading."""
    descriptor = os.open(note, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)

    def watch(event: str, details: tuple[object, ...]) -> None:
        if event == "open" and str(details[0]).endswith("/instance.env") and details[1] == "r":
            os.write(descriptor, f"{details[0]}\n".encode())

    def work() -> int:
        sys.addaudithook(watch)
        return cli.main([*arguments, "--root", str(tree)])

    ended = undisturbed(work)
    os.close(descriptor)
    assert ended.status == 0, ended
    return Counter(note.read_text().splitlines())


@pytest.fixture
def neighbours(tree: Tree) -> Tree:
    for number, name in enumerate(OTHERS):
        tree.write_env(name, env(PORT=str(26000 + number)))
    return tree


@pytest.mark.parametrize(
    "command",
    [("ls",), ("ls", "--json"), ("status", "good"), ("rm", "good"), ("rm", "good", "--purge")],
    ids=" ".join,
)
def test_a_verb_reads_each_instance_env_once(
    neighbours: Tree, tmp_path: Path, command: tuple[str, ...]
) -> None:
    found = reads(neighbours, tmp_path / "note", *command)
    assert found[neighbours.instance("good").env_file] == 1
    assert set(found.values()) == {1}


def test_new_reads_what_it_has_written_once(neighbours: Tree, tmp_path: Path) -> None:
    found = reads(neighbours, tmp_path / "note", "new", "pg1", "--version", "18", "--enable")
    own = [path for path in found.elements() if "pg1" in path]
    assert own == [f"{neighbours}/etc/sockwake/.new-pg1/instance.env"]
