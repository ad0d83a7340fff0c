"""What goes to the journal: the unit's standard output."""

from __future__ import annotations

import os

from sockwake.errors import SockwakeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def write(text: bytes) -> None:
    """The container's words, as they are."""
    while text:
        text = text[os.write(1, text) :]


def say(sentence: str) -> None:
    """A sentence of our own among them."""
    write(f"sockwake: {sentence}\n".encode())


def aside(step: Callable[..., object], *arguments: object) -> None:
    """Do what nothing else depends on: it can fail only into the journal, and that into nothing."""
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
