"""sockwake ls --filter: the rows whose keys have certain values."""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from sockwake.admin.show import ls
from sockwake.config import similar
from sockwake.errors import USAGE, SockwakeError
from sockwake.kinds.table import KINDS

# the keys of a row of ls, of which some instances have not all
KEYS = (
    *("name", "state", "state_since", "clients", "memory_bytes", "next_sleep", "held"),
    *("kind", "version", "idle", "address", "listen", "port", "allow", "image", "data", "tls"),
    *("runtime", "engine", "image_digest", "project", "ports", "forwarded_to", "warning", "error"),
)
_VALUES = {"state": ls.STATES, "kind": tuple(KINDS)}
Row = dict[str, object]
Filter = tuple[str, str]


def parse(text: str) -> Filter:
    """(key, pattern) of KEY=VALUE; raises SockwakeError (usage)."""
    key, equals, pattern = text.partition("=")
    if not equals:
        raise SockwakeError(f"filter '{text}' is not KEY=VALUE", "as in state=asleep", USAGE)
    if key not in KEYS:
        hint = f"{similar.question(key, KEYS)}there are {', '.join(KEYS)}"
        raise SockwakeError(f"there is no key '{key}' to filter by", hint, USAGE)
    known = _VALUES.get(key)
    if known and not any(fnmatchcase(each, pattern) for each in ("", *known)):
        hint = f"{similar.question(pattern, known)}there are {', '.join(known)}"
        raise SockwakeError(f"there is no {key} '{pattern}'", hint, USAGE)
    return key, pattern


def chosen(rows: Iterable[Row], filters: Sequence[Filter]) -> list[Row]:
    """The rows that fit: with several filters of one key any of them, and one of every key."""
    patterns: dict[str, list[str]] = {}
    for key, pattern in filters:
        patterns.setdefault(key, []).append(pattern)
    return [
        row for row in rows if all(_fits(row.get(key), wanted) for key, wanted in patterns.items())
    ]


def _fits(value: object, patterns: Sequence[str]) -> bool:
    """Whether a value, or one of a list, matches a pattern with the shell's wildcards."""
    texts = [_text(each) for each in value] if isinstance(value, list) else [_text(value)]
    return any(fnmatchcase(text, pattern) for text in texts or [""] for pattern in patterns)


def _text(value: object) -> str:
    """A value as JSON has it, without quotes; null is nothing."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
