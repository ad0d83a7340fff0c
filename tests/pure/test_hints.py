"""A command that a message names is of the scope and the tree that the user has chosen."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from sockwake.config import scope
from tree import SOCKWAKE, SOURCE, Tree, run

_COMMAND = re.compile(r"\b((sockwake|systemctl|journalctl) [a-z-]|sockwake-new\b)")
_NO_PROSE = ("scope.command", "command")
# of messages, but not for the same scope or tree, or no command to type
_OTHERS = {
    "sockwake ARGUMENTS --help": r"^sockwake [a-z]+ --help$",  # does nothing to an instance
    "units of the system, also with --user": r"^systemctl (status|start) (docker\.service)?$",
    "the word behind it": r"^systemctl (enable --now|--user|daemon-reload|stop )$",
    "a shell script": r'^systemctl "\$0"',
    "the text of a file": r"^(-- |# )",
    "names of sessions": r"^(--label=)?sockwake (passwd|export|status|backup)$",
    "an example of a kind": r"^sockwake-new NAME --version 18$",
    "a rule of set": r"^(an instance of another kind|sockwake runtime NAME crun)",
    "a sentence about programs": r"sockwake (makes|adds|removes|is not|in |new|has)|"
    r"of sockwake|where sockwake|sockwake-new( that| writes)?$|a sockwake-new|(as|says|what) "
    r"(systemctl|PostgreSQL)|journalctl says|as systemctl does|systemctl preset-all|"
    r"another sockwake-new|sockwake-new that|sockwake instance|with 'sockwake wake'|"
    r'sockwake: instance "|sockwake-new\(8\)',
}


def literals(path: Path) -> Iterator[tuple[str, str]]:
    """(text, the call that it is an argument of) of every string that is no docstring."""
    tree = ast.parse(path.read_text())
    docs = {each.value for each in ast.walk(tree) if isinstance(each, ast.Expr)}
    calls: dict[ast.AST, str] = {}
    for each in ast.walk(tree):  # from the outside to the inside
        own = ast.unparse(each.func) if isinstance(each, ast.Call) else calls.get(each, "")
        for child in ast.iter_child_nodes(each):
            calls[child] = own
        if isinstance(each, ast.Constant) and isinstance(each.value, str) and each not in docs:
            yield each.value, calls.get(each, "")


def test_every_command_in_a_message_is_made_for_the_scope_and_the_tree() -> None:
    found = [
        f"{path.relative_to(SOURCE)}: {text}"
        for path in sorted((SOURCE / "sockwake").rglob("*.py"))
        if path.parent.name != "completion"
        for text, call in literals(path)
        if _COMMAND.search(text) and call not in (*_NO_PROSE, "Verb")
        if not any(re.search(rule, text) for rule in _OTHERS.values())
    ]
    assert found == []


def test_a_command_names_the_tree_and_is_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scope, "tree", "/srv/tree a%b:c")
    place = "'/srv/tree a%b:c'"
    assert scope.command("sockwake backups ls", "t1") == f"sockwake backups ls --root {place} t1"
    enable = scope.command("systemctl", "enable", "pg-proxy@t1.socket")
    assert enable == "systemctl '--root=/srv/tree a%b:c' enable pg-proxy@t1.socket"
    monkeypatch.setattr(scope, "tree", "")
    assert scope.command("sockwake-new", "NEW", "--from", "a b") == "sockwake-new NEW --from 'a b'"


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["backups", "verify", "pg2"], "sockwake backup --root {} pg2 makes one"),
        (["rm", "t1"], "sockwake ls --root {} shows those there are"),
        (["restore", "t1"], "sockwake backups ls --root {} t1 shows those there are"),
        (["rm", "x*"], "sockwake ls --root {}"),
    ],
)
def test_the_hint_of_a_tree_is_about_the_tree(tree: Tree, words: list[str], hint: str) -> None:
    tree.new("pg2")
    tree.new("t1") if words[0] == "restore" else None
    ran = tree.sockwake(*words)
    assert f"(hint: {hint.format(tree)})" in ran.stderr, ran


def test_upgrade_hints_at_no_version_that_it_would_refuse() -> None:
    ran = run(*SOCKWAKE, "upgrade", "pg1")
    assert ran.status == 2, ran
    assert "(hint: sockwake upgrade --version VERSION pg1)" in ran.stderr, ran
