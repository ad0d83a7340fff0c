"""Waiting for something, never for time: bounded, and the error says for what."""

from __future__ import annotations

import time
from collections.abc import Callable

_EVERY = 0.03  # seconds
_RARER = 4  # times as long as a look takes, which slows down what is waited for


def until(what: str, done: Callable[[], object], timeout: float = 30.0) -> None:
    """Return once done() is true."""
    until_gone(what, lambda: not done(), timeout)


def until_gone(
    what: str, left: Callable[[], object], timeout: float = 30.0, *, every: float = _EVERY
) -> None:
    """Return once left() is empty; the error shows what was left.

    every: seconds between two looks at least, for what takes its time: looks are processes.
    """
    deadline = time.monotonic() + timeout
    began = time.monotonic()
    while rest := left():
        ended = time.monotonic()
        assert ended < deadline, (
            f"waited {timeout:g} s in vain: {what}{'' if rest is True else f'; left: {rest}'}"
        )
        time.sleep(max(every, _RARER * (ended - began)))
        began = time.monotonic()
