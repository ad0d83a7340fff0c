"""What systemd.preset(5) files of a tree say of a unit."""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import NamedTuple

from sockwake.admin.show.baked.tree import Tree

# of two files of the same name the first counts
DIRECTORIES = tuple(
    f"{place}/systemd/system-preset" for place in ("/etc", "/run", "/usr/local/lib", "/usr/lib")
)


class Rule(NamedTuple):
    """A line of a preset file. action: enable, disable or ignore. path: as the tree has it."""

    action: str
    pattern: str
    instances: tuple[str, ...]
    path: str
    number: int


def rules(tree: Tree) -> Iterator[Rule]:
    """All rules, in the order in which the first that fits a unit counts."""
    files: dict[str, str] = {}
    for directory in DIRECTORIES[::-1]:
        files |= {n: f"{directory}/{n}" for n in tree.names(directory) if n.endswith(".preset")}
    for _, path in sorted(files.items()):
        for number, line in enumerate(tree.text(path).splitlines(), 1):
            action, *words = line.split() or [""]
            if action in ("enable", "disable", "ignore") and words:
                yield Rule(action, words[0], tuple(words[1:]), path, number)


def rule_for(template: str, every: list[Rule]) -> Rule | None:
    """The rule by which preset-all decides on a template and its instances; None enables.

    preset-all asks for the template alone, and disables every instance when that is disabled.
    """
    return next((rule for rule in every if fnmatchcase(template, rule.pattern)), None)
