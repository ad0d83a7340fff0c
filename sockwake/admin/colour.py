"""Colours for a terminal that has them; https://no-color.org."""

import os
from typing import TextIO

GREEN, YELLOW, RED, DIM = "32", "33", "31", "2"  # ECMA-48, "Select graphic rendition"


def is_wanted(stream: TextIO) -> bool:
    """Whether text for a stream may have colours."""
    is_plain = os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb") == "dumb"
    return stream.isatty() and not is_plain


def painted(text: str, colour: str) -> str:
    """text in a colour; "" for none."""
    return f"\x1b[{colour}m{text}\x1b[0m" if colour else text
