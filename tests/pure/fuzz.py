"""The number of cases for each property: few fixed ones, with SOCKWAKE_SOAK=1 many random ones."""

import functools
import os
from collections.abc import Callable
from typing import Any

from hypothesis import settings

SOAK = bool(os.environ.get("SOCKWAKE_SOAK"))
_LONGER = 10  # factor
_EACH = 100  # what hypothesis does by itself

# without a deadline: these tests are about results, not speed
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
    """The settings of a property that takes long: `number` cases."""
    return settings(max_examples=number * _LONGER if SOAK else number)


def counted(function: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a property so that its cases are counted."""

    @functools.wraps(function)
    def counting(*args: Any, **options: Any) -> Any:
        global tried  # noqa: PLW0603
        tried += 1
        return function(*args, **options)

    return counting
