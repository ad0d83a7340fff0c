"""instance.env as text that is changed line by line: every other line stays as it is."""

import re
from collections.abc import Mapping, Sequence

from sockwake.config import scope, similar
from sockwake.config.settings import KEYS
from sockwake.errors import USAGE, SockwakeError


def assignments(words: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Words of a command, as names of instances and as KEY=VALUE; raises SockwakeError (usage)."""
    names = [word for word in words if "=" not in word]
    changes: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            continue
        if key not in KEYS:
            hint = f"{similar.question(key, KEYS)}instance.env(5) has those there are"
            raise SockwakeError(f"there is no key '{key}'", hint, USAGE)
        if key in changes:
            raise SockwakeError(f"key '{key}' is there twice", status=USAGE)
        changes[key] = value
    if not changes:
        raise SockwakeError(
            "say what to set", scope.command("sockwake set", "NAME", "IDLE=10min"), USAGE
        )
    return names, changes


def changed(text: str, changes: Mapping[str, str]) -> str:
    """The text with other values; "" takes a line out, a new key comes last."""
    for key, value in changes.items():
        line = re.compile(rf"^{key}=.*(?:\n|\Z)", re.MULTILINE)
        new = f"{key}={value}\n" if value else ""
        if line.search(text):
            text = line.sub(new.replace("\\", r"\\"), text, count=1)
        elif new:
            text += new if not text or text.endswith("\n") else f"\n{new}"
    return text


def diff(path: str, old: str, new: str) -> str:
    """What is to change in a file, as diff -u has it."""
    import difflib  # 10 ms

    lines = difflib.unified_diff(
        old.splitlines(keepends=True), new.splitlines(keepends=True), path, path, n=1
    )
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)
