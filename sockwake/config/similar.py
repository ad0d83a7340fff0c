"""What a word that is none may have been meant for. Imported late, where one is refused."""

import os
from collections.abc import Callable, Iterable

from sockwake.config import scope
from sockwake.errors import UNKNOWN, SockwakeError

_LIKE = 0.7  # pg1 for pg11, and not for pg2


def question(word: str, known: Iterable[str]) -> str:
    """ "is it shop? " for a hint, with the two at most that are most like the word; or ""."""
    from difflib import get_close_matches  # 10 ms

    same, low = {each.lower(): each for each in known}, word.lower()
    begun = [each for each in same if each.startswith(low) and len(low) > 2]
    found = [same[each] for each in begun[:2] or get_close_matches(low, same, 2, _LIKE)]
    return f"is it {' or '.join(found)}? " if found else ""


def valid_name(text: str, name: Callable[[str], str]) -> str:
    """ "as in pg1" for a hint: the name that was meant by that of a unit, or by My_App; or "".

    name: makes a Name of a text, or raises SockwakeError.
    """
    of_a_unit = text.partition("@")[2].partition(".")[0].partition(":")[0]
    meant = of_a_unit or text.lower().replace("_", "-").replace(".", "-")
    if meant == text:
        return ""
    try:
        return f"as in {name(meant)}"
    except SockwakeError:
        return ""


def no_instance(name: str, root: str = "", where: str = "") -> SockwakeError:
    """The error for the name of an instance that is not there. where: behind the sentence."""
    try:
        known = [each for each in os.listdir(scope.etc(root)) if not each.startswith(".")]
    except OSError:
        known = []
    return SockwakeError(
        f"there is no instance '{name}'{where}",
        f"{question(name, known)}{scope.command('sockwake ls')} shows those there are",
        UNKNOWN,
    )
