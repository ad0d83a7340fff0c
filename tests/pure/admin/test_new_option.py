"""An option is one entry in new_options.OPTIONS, and a verb one in verbs.VERBS."""

import dataclasses

import pytest

from sockwake.admin import cli, verbs
from sockwake.admin.completion import bash, fish, zsh
from sockwake.admin.make import decide, defaults, new_options
from sockwake.admin.make import verbs as making
from sockwake.admin.option import Option
from sockwake.config.values import start_timeout
from sockwake.errors import USAGE
from sockwake.kinds.table import KINDS
from tree import Tree


def span(text: str) -> str:
    start_timeout(text)
    return text


ADDED = Option(
    "--patience",
    "TIME",
    "how long a start may take",
    type=span,
    kinds=("postgres", "command"),
    default="2min",
    key="START_TIMEOUT",
)


@pytest.fixture(autouse=True)
def added(monkeypatch: pytest.MonkeyPatch) -> None:
    options = (*new_options.OPTIONS, ADDED)
    for module in (new_options, decide, defaults, making):
        monkeypatch.setattr(module, "OPTIONS", options)
    new, *others = verbs.VERBS
    table = (dataclasses.replace(new, options=options), *others)
    for module in (verbs, cli, bash, zsh, fish):
        monkeypatch.setattr(module, "VERBS", table)


def call(tree: Tree, *options: str) -> int:
    return cli.main(["new", "a", "--root", str(tree), "--dry-run", *options])


def test_help_has_it_under_the_kinds_it_is_for(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["new", "--help"])
    title, _, listed = capsys.readouterr().out.partition("of kinds postgres and command:\n")
    assert title and "--patience TIME" in listed and "(default: 2min)" in listed


@pytest.mark.parametrize(("given", "line"), [((), "2min"), (("--patience", "5min"), "5min")])
def test_its_value_or_its_default_gets_into_instance_env(
    tree: Tree, capsys: pytest.CaptureFixture[str], given: tuple[str, ...], line: str
) -> None:
    assert call(tree, "--version", "18", *given) == 0
    assert f"\nSTART_TIMEOUT={line}\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--version", "18", "--patience", "soon"], "'soon' is not a time span"),
        (["--version", "18", "--patience", ""], "the value of --patience is empty"),
        (
            ["--kind", "native", "--exec", "/bin/x", "--patience", "5s"],
            "--patience is not for an instance of kind 'native'",
        ),
    ],
)
def test_its_value_and_its_kind_are_checked(
    tree: Tree, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    assert call(tree, *options) == USAGE
    assert message in capsys.readouterr().err


def test_the_completion_knows_it() -> None:
    assert "--patience" in bash.script()


def test_every_kind_that_an_option_names_is_in_the_table() -> None:
    assert {kind for option in new_options.OPTIONS for kind in option.kinds} <= KINDS.keys()


def test_every_option_that_a_kind_names_is_declared() -> None:
    names = {option.name for option in new_options.OPTIONS}
    for kind in KINDS.values():
        assert {*kind.options, *kind.defaults, *kind.fixed} <= names
