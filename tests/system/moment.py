"""Waiting for something, never for time: bounded, and the error says for what."""

from __future__ import annotations

import time
from collections.abc import Callable

_EVERY = 0.03  # seconds


def until(what: str, done: Callable[[], object], timeout: float = 30.0) -> None:
    """Return once done() is true."""
    deadline = time.monotonic() + timeout
    while not done():
        assert time.monotonic() < deadline, f"waited {timeout:g} s in vain: {what}"
        time.sleep(_EVERY)


def until_gone(what: str, left: Callable[[], object], timeout: float = 30.0) -> None:
    """Return once left() is empty; the error shows what was left."""
    deadline = time.monotonic() + timeout
    while rest := left():
        assert time.monotonic() < deadline, f"waited {timeout:g} s in vain: {what}; left: {rest}"
        time.sleep(_EVERY)
