"""Write to the journal, which is the unit's standard output."""

from __future__ import annotations

import os

from sockwake.errors import SockwakeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def write(text: bytes) -> None:
    """Write all of text, a container's output, unchanged."""
    while text:
        text = text[os.write(1, text) :]


def say(sentence: str) -> None:
    """Write a sentence of sockwake's own, marked as such."""
    write(f"sockwake: {sentence}\n".encode())


def aside(step: Callable[..., object], *arguments: object) -> None:
    """Do a step that may fail: its error is written to the journal, and never raised."""
    try:
        step(*arguments)
    except Exception as error:
        try:
            say(
                error.whole
                if isinstance(error, SockwakeError)
                else f"{type(error).__name__}: {error}"
            )
        except OSError:
            pass
