"""Every verb, and every group of verbs, without a further word; and a group's usual verb."""

import pytest

from sockwake.admin.parser import GROUPS
from sockwake.admin.verbs import VERBS
from tree import SOCKWAKE, Tree, run

WORDS = [*GROUPS, *(verb.name for verb in VERBS)]


@pytest.mark.parametrize("words", WORDS)
def test_it_does_something_or_says_in_a_sentence_why_not(words: str) -> None:
    ran = run(*SOCKWAKE, *words.split())
    assert ran.status in range(7), ran
    assert "Traceback" not in ran.stderr
    if ran.status and not ran.stdout:  # what check has found is its output
        assert ran.stderr.startswith("sockwake: "), ran


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("more", [(), ("--json",), ("--no-header",)])
def test_a_group_alone_is_its_usual_verb(group: str, more: tuple[str, ...], tree: Tree) -> None:
    alone = tree.sockwake(group, *more)
    in_full = tree.sockwake(group, GROUPS[group][1], *more)
    assert (alone.status, alone.stdout, alone.stderr) == (0, in_full.stdout, "")


def test_a_name_may_follow_a_group_whose_usual_verb_takes_names(tree: Tree) -> None:
    alone = tree.sockwake("backups", "absent")
    in_full = tree.sockwake("backups", "ls", "absent")
    assert alone.status
    assert (alone.status, alone.stderr) == (in_full.status, in_full.stderr)


@pytest.mark.parametrize("help_option", ["-h", "--help"])
@pytest.mark.parametrize("group", GROUPS)
def test_the_help_of_a_group_is_its_own(group: str, help_option: str) -> None:
    ran = run(*SOCKWAKE, group, help_option)
    assert ran.stdout.startswith(f"usage: sockwake {group} [-h] COMMAND ..."), ran


def test_an_unknown_verb_of_a_group_is_named() -> None:
    ran = run(*SOCKWAKE, "images", "begin")
    # newer argparse quotes them
    assert "invalid choice: begin (choose from ls, " in ran.stderr.replace("'", ""), ran


def test_forward_alone_lists_for_people_what_it_lists_for_programs() -> None:
    shown, listed = run(*SOCKWAKE, "forward"), run(*SOCKWAKE, "forward", "--json")
    assert (shown.status, listed.status) == (0, 0), (shown, listed)
    assert shown.stdout.startswith("No instance is forwarded.") == (listed.stdout == "[]\n")
    for option in ("--back", "--force", "--early"):
        assert run(*SOCKWAKE, "forward", option).status == 2
