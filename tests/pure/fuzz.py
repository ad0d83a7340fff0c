"""How many cases a property is tried with, and how many were: few and always the same ones, or with SOCKWAKE_SOAK=1 many random ones."""

import functools
import os
from collections.abc import Callable
from typing import Any

from hypothesis import settings

SOAK = bool(os.environ.get("SOCKWAKE_SOAK"))
_LONGER = 10  # times as many
_EACH = 100  # what hypothesis does by itself

# no deadline: these tests prove what comes out, never how fast
settings.register_profile(
    "pure",
    deadline=None,
    derandomize=not SOAK,
    database=None,
    print_blob=True,
    max_examples=_EACH * (_LONGER if SOAK else 1),
)
tried = 0


def cases(number: int) -> settings:
    """As many as that for a property that is dearer than most."""
    return settings(max_examples=number * _LONGER if SOAK else number)


def counted(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same property, every case of which is counted."""

    @functools.wraps(function)
    def counting(*args: Any, **options: Any) -> Any:
        global tried  # noqa: PLW0603
        tried += 1
        return function(*args, **options)

    return counting
