"""A verb is one entry in verbs.VERBS: parser, help and completion come from it."""

import re
from argparse import Namespace

import pytest

from sockwake.admin import cli, option_types, verbs
from sockwake.admin.completion import bash, fish, zsh
from sockwake.admin.option import Option
from sockwake.admin.parser import Verb
from sockwake.errors import IN_USE, USAGE, SockwakeError
from tree import Tree

calls: list[Namespace] = []


def relabel(arguments: Namespace) -> None:
    calls.append(arguments)
    if arguments.name == "busy":
        raise SockwakeError("instance 'busy' is in use", "stop it", IN_USE)


ADDED = Verb(
    "relabel",
    relabel,
    "give an instance another label",
    (
        Option("--user", help="of the calling user's own instances"),
        Option("--debug", help="show a traceback with an error"),
        Option("--root", "DIR", "work on the system tree DIR", type=option_types.tree, plain=True),
        Option("--to", "NAME", "the new label", type=lambda text: text.lower(), plain=True),
    ),
    has_name=True,
)


@pytest.fixture(autouse=True)
def added(monkeypatch: pytest.MonkeyPatch) -> None:
    calls.clear()
    table = (*verbs.VERBS, ADDED)
    for module in (verbs, cli, bash, zsh, fish):
        monkeypatch.setattr(module, "VERBS", table)


def help_of(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit):
        cli.main([*words, "--help"])
    return capsys.readouterr().out


def test_help_lists_it_and_it_has_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert re.search(r"^ +relabel +give an instance another label$", help_of(capsys), re.MULTILINE)
    own = help_of(capsys, "relabel")
    assert "Give an instance another label." in own and "--to NAME" in own
    assert "See sockwake(8)." in own


def test_it_gets_its_arguments_checked_and_no_others(tree: Tree) -> None:
    assert cli.main(["relabel", "shop", "--to", "NEW", "--root", str(tree)]) == 0
    assert [(each.name, each.to, each.verb) for each in calls] == [("shop", "new", ADDED)]
    for wrong in (["Shop"], ["shop", "--purge"], [], ["shop", "--to"], ["shop", "--to", ""]):
        assert cli.main(["relabel", *wrong]) == USAGE, wrong
    assert len(calls) == 1


def test_its_error_is_one_sentence_with_its_status(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["relabel", "busy"]) == IN_USE
    assert capsys.readouterr().err.startswith("sockwake: error: instance 'busy' is in use")


def test_the_completion_knows_it() -> None:
    script = bash.script()
    assert re.search(r'\n\t\'\'\) words="new .* relabel --help --version" ;;', script)
    assert '\trelabel) words="--user --debug --root --to --help $names" ;;' in script
    assert '"relabel --to")' in script
    assert "'relabel:give an instance another label'" in zsh.script()
    assert "-n '__sockwake_is relabel' -l to -x -d 'the new label'" in fish.script()
