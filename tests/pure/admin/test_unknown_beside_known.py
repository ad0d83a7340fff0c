"""A name that no instance has, beside names of instances: of these a command tells all the same."""

import json

import pytest

from env_file import env
from sockwake.admin import cli, operands
from sockwake.admin.measure import counters, log
from sockwake.config import scope
from sockwake.config.instance import Name
from sockwake.errors import UNKNOWN, SockwakeError
from tree import SOCKWAKE, Tree, run

UNKNOWN_ONE = "sockwake: none: there is no instance 'none'\n"
AT_LAST = "sockwake: error: not all of them are there\n"


@pytest.fixture
def running(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> Tree:
    """A tree that stands for the system that runs, with an empty journal."""
    tree.write_env("shop", env())
    monkeypatch.setattr(scope, "etc", lambda root="": f"{root or tree}/etc/sockwake")
    monkeypatch.setattr(counters, "directory", lambda: f"{tree}/run/metrics")
    monkeypatch.setattr(log, "read", lambda *_, **__: [])
    monkeypatch.setattr(log, "after", lambda cursor: ([], cursor))
    monkeypatch.setattr(log, "boots", list)
    return tree


@pytest.mark.parametrize("verb", ["doctor", "report", "metrics", "ls"])
def test_those_that_are_there_are_told(
    running: Tree, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    for words in (["none", "shop"], ["shop", "none"]):
        assert cli.main([verb, *words]) == UNKNOWN
        said = capsys.readouterr()
        assert "shop" in said.out and "none" not in said.out, said
        assert UNKNOWN_ONE in said.err and said.err.endswith(AT_LAST), said
    assert cli.main([verb, "none"]) == UNKNOWN
    said = capsys.readouterr()
    assert said.out == "" and "sockwake: error: there is no instance 'none'\n" in said.err, said


def test_history_tells_of_a_name_that_was_never_there(
    running: Tree, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli.main(["history", "shop", "none"]) == UNKNOWN
    said = capsys.readouterr()
    assert UNKNOWN_ONE in said.err and said.err.endswith(AT_LAST), said
    # one that was removed has events, which may be more than are asked for
    monkeypatch.setattr(log, "read", lambda names, **_: list(names) if "gone" in names else [])
    monkeypatch.setattr("sockwake.admin.measure.history.rows", lambda *_: [])
    assert cli.main(["history", "-n", "1", "shop", "gone"]) == 0


def test_of_a_tree_they_are_told_too(tree: Tree) -> None:
    tree.write_env("shop", env())
    ran = tree.sockwake("ls", "none", "shop", "another", "--json")
    assert (ran.status, [row["name"] for row in json.loads(ran.stdout)]) == (UNKNOWN, ["shop"])
    assert ran.stderr.count("there is no instance") == 2 and ran.stderr.endswith(AT_LAST)
    ran = tree.sockwake("check", "none", "shop")
    assert ran.status == UNKNOWN and "shop: " in ran.stdout, ran
    assert f"sockwake: none: there is no instance 'none' in {tree}\n" in ran.stderr


def test_none_of_several_is_told_of_each() -> None:
    ran = run(*SOCKWAKE, "report", "none", "another")
    assert (ran.status, ran.stdout) == (UNKNOWN, "")
    assert ran.stderr.count("there is no instance") == 2 and ran.stderr.endswith(AT_LAST)
    with pytest.raises(SockwakeError, match="there is no instance 'none' in /tree"):
        operands.there([Name("none")], lambda _: False, " in /tree")
    assert operands.there([Name("a")], lambda _: True) == ([Name("a")], None)
