"""instance.env as text: KEY=value lines.

systemd, compose and the generator read the same file, each with its own rules for quotes: every
character on which they could differ is refused.
"""

from __future__ import annotations

from sockwake.config.values import check_value
from sockwake.errors import FAILED, SockwakeError


def parse(text: str, path: str) -> dict[str, str]:
    """KEY=value lines as a dict; raises SockwakeError naming path and line."""
    values: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip() or line.startswith("#"):
            continue
        key, equals, value = line.partition("=")
        if not equals or not key or key.strip("ABCDEFGHIJKLMNOPQRSTUVWXYZ_"):
            raise SockwakeError(f"{path}:{number} is not KEY=value", said=line)
        if key in values:
            raise SockwakeError(f"{path}:{number}: key '{key}' is there twice")
        check_value(value, f"{path}:{number}: the value of {key}", FAILED)
        values[key] = value
    return values


def line_of(text: str, key: str) -> int:
    """The number of the line that sets key, which must be there."""
    return next(
        number for number, line in enumerate(text.split("\n"), 1) if line.startswith(f"{key}=")
    )
