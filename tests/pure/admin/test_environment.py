"""--env and --env-file: a file that only its owner reads, and that compose reads as it was said."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from kind_examples import CONTAINER, container, make

from tree import Tree

SECRET = "s3cret $HOME \"q\" 'x' \\ # end"


def test_the_values_are_in_a_file_that_only_its_owner_reads(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAKEN", "from here")
    Path(tree.path / "their.env").write_text("A=1\n# a comment\nB='two'")
    given = ("--env-file", f"{tree}/their.env", "--env", f"C={SECRET}", "--env", "TAKEN")
    make(tree, "a", [*CONTAINER, *given])
    file = Path(tree.instance("a").variables_file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_text().splitlines() == [
        "A=1",
        "# a comment",
        "B='two'",
        'C="s3cret \\$HOME \\"q\\" \'x\' \\\\ # end"',
        'TAKEN="from here"',
    ]
    assert container(tree)["env_file"] == "${SOCKWAKE_ETC}/environment"
    others = [path for path in Path(tree.instance("a").etc).iterdir() if path != file]
    assert [path for path in others if "s3cret" in path.read_text()] == []
    make(tree, "b", CONTAINER)
    assert not os.path.exists(tree.instance("b").variables_file)
    assert "env_file" not in container(tree, "b")


def test_an_edit_makes_the_container_anew(tree: Tree) -> None:
    make(tree, "a", [*CONTAINER, "--env", "A=1"])
    instance = tree.instance("a")
    before = instance.fingerprint()
    Path(instance.variables_file).write_text("A=2\n")
    edited = instance.fingerprint()
    Path(instance.variables_file).unlink()
    assert len({before, edited, instance.fingerprint()}) == 3


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--env", "1A=x"], "'1A' is not the name of a variable"),
        (["--env", "=x"], "'' is not the name of a variable"),
        (["--env", "NOT_SET_HERE"], "variable NOT_SET_HERE is not set here"),
        (["--env-file", "/nowhere/x.env"], "cannot read /nowhere/x.env: no such file"),
    ],
)
def test_what_is_no_variable_is_refused(tree: Tree, options: list[str], said: str) -> None:
    ran = tree.sockwake("new", "a", *CONTAINER, *options)
    assert ran.status == 2 and said in ran.stderr, ran
    assert not os.path.exists(tree.instance("a").etc)


@pytest.mark.parametrize(
    ("name", "hint"), [("POSTGRES_USER", "--db-user"), ("PGDATA", "--data"), ("POSTGRES_DB", "-")]
)
def test_what_a_postgresql_gets_from_other_options_is_refused(
    tree: Tree, name: str, hint: str
) -> None:
    ran = tree.sockwake("new", "a", "--version", "18", "--env", f"{name}=x")
    assert ran.status == 2 and f"variable {name} is sockwake's own" in ran.stderr, ran
    assert hint in ran.stderr


def test_a_dry_run_shows_no_value(tree: Tree) -> None:
    ran = tree.sockwake("new", "a", *CONTAINER, "--env", "A=s3cret", "--dry-run")
    assert ran.status == 0 and "/environment (0600)" in ran.stdout
    assert "s3cret" not in ran.stdout
