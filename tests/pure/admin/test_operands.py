"""The words of a command that stand for instances."""

import pytest

from env_file import env
from sockwake.admin import operands
from sockwake.config.instance import Instance
from sockwake.errors import UNKNOWN, USAGE, SockwakeError
from tree import Tree


@pytest.fixture
def root(tree: Tree) -> str:
    for name in ("shop", "shop-test", "wiki"):
        tree.write_env(name, env())
    return str(tree)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["shop"], ["shop"]),
        (["shop*"], ["shop", "shop-test"]),
        (["wiki", "*", "shop"], ["wiki", "shop", "shop-test"]),
        (["[st]hop", "????"], ["shop", "wiki"]),
        (["absent"], ["absent"]),
    ],
)
def test_words_stand_for_names_in_their_order_and_each_once(
    root: str, words: list[str], found: list[str]
) -> None:
    assert operands.names(words, root) == found


def test_a_pattern_without_a_match_and_no_word_at_all_are_errors(root: str) -> None:
    with pytest.raises(SockwakeError, match="like 'x\\*'") as none:
        operands.names(["shop", "x*"], root)
    assert none.value.status == UNKNOWN
    with pytest.raises(SockwakeError, match="say which") as empty:
        operands.names([], root)
    assert empty.value.status == USAGE


def test_no_word_can_stand_for_all_that_fit(root: str) -> None:
    def is_shop(instance: Instance) -> bool:
        return instance.name.startswith("shop")

    assert operands.names([], root, or_all=True) == ["shop", "shop-test", "wiki"]
    assert operands.names([], root, or_all=True, fits=is_shop) == ["shop", "shop-test"]
    assert operands.names(["*"], root, fits=is_shop) == ["shop", "shop-test"]
    assert operands.names(["wiki"], root, fits=is_shop) == ["wiki"]


def test_words_behind_an_option_are_operands_too(tree: Tree, root: str) -> None:
    ran = tree.sockwake("ls", "shop", "--no-header", "wiki")
    assert [line.split()[0] for line in ran.stdout.splitlines()] == ["shop", "wiki"], ran
    wrong = tree.sockwake("ls", "shop", "--quite", "wiki")
    assert wrong.status == USAGE and "unrecognized arguments: --quite" in wrong.stderr
