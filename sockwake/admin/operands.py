"""The instances that a command names: their names, or the shell's wildcards for several."""

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase

from sockwake.admin import inventory
from sockwake.admin.each import try_each
from sockwake.config import scope, similar
from sockwake.config.instance import Instance, Name
from sockwake.errors import UNKNOWN, USAGE, SockwakeError

_WILDCARDS = "*?["


def names(
    words: Sequence[str],
    root: str = "",
    *,
    or_all: bool = False,
    every: Sequence[Instance] | None = None,
    fits: Callable[[Instance], bool] = lambda _: True,
) -> list[Name]:
    """The names that words stand for, each once, in the order of the words.

    A word with a wildcard stands for all instances there are that it matches; any other is a name,
    of an instance that need not be there. or_all: no word stands for every instance.
    every: the instances there are, those of inventory when it is None.
    fits: which of those that are not named themselves are meant.

    Raises SockwakeError: not a name, no word (usage), or a pattern that matches nothing.
    """
    if not words and not or_all:
        raise SockwakeError(
            "say which instances", f"{scope.command('sockwake ls')} lists them", USAGE
        )
    found: list[Name] = []
    for word in words or ("*",):
        if not _is_pattern(word):
            found.append(Name(word))
            continue
        there = inventory.instances(root) if every is None else every
        matches = [each.name for each in there if fnmatchcase(each.name, word)]
        if not matches and words:
            raise SockwakeError(
                f"no instance is called like '{word}'", scope.command("sockwake ls"), UNKNOWN
            )
        found += [name for name in matches if fits(Instance(name, root))]
    return list(dict.fromkeys(found))


def named_or_all(
    words: Sequence[str],
    root: str = "",
    *,
    all_of_them: bool,
    example: str,
    fits: Callable[[Instance], bool],
) -> list[Name]:
    """As names(), of a command that does something to every instance only with --all.

    example: the hint. Raises SockwakeError (usage) for neither words nor --all, and for both.
    """
    if bool(words) == all_of_them:
        raise SockwakeError("say which instances, or --all", example, USAGE)
    return names(words, root, or_all=True, fits=fits)


def is_there(name: Name) -> bool:
    """Whether there is an instance of this name on the system that runs."""
    return inventory.exists(Instance(name))


def there(
    named: Sequence[Name], known: Callable[[Name], bool] = is_there, where: str = ""
) -> tuple[list[Name], SockwakeError | None]:
    """Those of some names that are there, for a command that tells something of each.

    Of the others it is said on stderr that they are not, and returned is also the error with which
    the command is to end, None when all are there. where: behind the sentence, as in " in /tree".
    Raises SockwakeError (unknown) when none of them is.
    """
    found: list[Name] = []

    def look(name: Name) -> None:
        if not known(name):
            raise similar.no_instance(name, scope.tree, where)
        found.append(name)

    if not try_each(named, look):
        return found, None
    problem = SockwakeError("not all of them are there", status=UNKNOWN)
    if not found:
        raise problem
    return found, problem


def is_one_name(words: Sequence[str]) -> bool:
    """Whether words are one name, and no pattern: then --json has an object, and no array."""
    return len(words) == 1 and not has_pattern(words)


def has_pattern(words: Sequence[str]) -> bool:
    """Whether one of the words may stand for instances that the user has not named."""
    return any(map(_is_pattern, words))


def _is_pattern(word: str) -> bool:
    return any(each in word for each in _WILDCARDS)
