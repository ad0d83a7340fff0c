"""A verb is one entry in verbs.VERBS: parser, help and completion come from it."""

import re
from argparse import Namespace

import pytest

from sockwake.admin import cli, completion, option_types, verbs
from sockwake.admin.option import Option
from sockwake.admin.parser import Verb
from sockwake.errors import IN_USE, USAGE, SockwakeError
from tree import Tree

calls: list[Namespace] = []


def rename(arguments: Namespace) -> None:
    calls.append(arguments)
    if arguments.name == "busy":
        raise SockwakeError("instance 'busy' is in use", "stop it", IN_USE)


ADDED = Verb(
    "rename",
    rename,
    "give an instance another name",
    (
        Option("--user", help="of the calling user's own instances"),
        Option("--debug", help="show a traceback with an error"),
        Option("--root", "DIR", "work on the system tree DIR", type=option_types.tree, plain=True),
        Option("--to", "NAME", "the new name", type=lambda text: text.lower(), plain=True),
    ),
    has_name=True,
)


@pytest.fixture(autouse=True)
def added(monkeypatch: pytest.MonkeyPatch) -> None:
    calls.clear()
    table = (*verbs.VERBS, ADDED)
    for module in (verbs, cli, completion):
        monkeypatch.setattr(module, "VERBS", table)


def help_of(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit):
        cli.main([*words, "--help"])
    return capsys.readouterr().out


def test_help_lists_it_and_it_has_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert re.search(r"^ +rename +give an instance another name$", help_of(capsys), re.MULTILINE)
    own = help_of(capsys, "rename")
    assert "Give an instance another name." in own and "--to NAME" in own
    assert "See sockwake(8)." in own


def test_it_gets_its_arguments_checked_and_no_others(tree: Tree) -> None:
    assert cli.main(["rename", "shop", "--to", "NEW", "--root", str(tree)]) == 0
    assert [(each.name, each.to, each.verb) for each in calls] == [("shop", "new", ADDED)]
    for wrong in (["Shop"], ["shop", "--purge"], [], ["shop", "--to"], ["shop", "--to", ""]):
        assert cli.main(["rename", *wrong]) == USAGE, wrong
    assert len(calls) == 1


def test_its_error_is_one_sentence_with_its_status(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["rename", "busy"]) == IN_USE
    assert capsys.readouterr().err.startswith("sockwake: error: instance 'busy' is in use")


def test_the_completion_knows_it() -> None:
    script = completion.script()
    assert re.search(r'\n\t\'\'\) words="new .* rename --help --version" ;;', script)
    assert '\trename) words="--user --debug --root --to --help $names" ;;' in script
    assert '"rename --to")' in script
