"""One job for each of several instances."""

import sys
from collections.abc import Callable, Sequence
from typing import TypeVar

from sockwake.config import scope
from sockwake.config.instance import Name
from sockwake.errors import SockwakeError, failure, shown

_Thing = TypeVar("_Thing")


def do_to_each(
    names: Sequence[Name],
    one: Callable[[Name], str],
    done: str,
    *,
    quiet: bool,
    harmless: tuple[type[SockwakeError], ...] = (),
) -> None:
    """Do something to each instance, and say what; one that fails keeps no other from it.

    done: "moved". quiet: whether only errors are said. harmless: errors that are said, and are no
    failure. Raises SockwakeError at the end, or the error of the only one.
    """

    def say(name: Name) -> None:
        said = one(name)
        if not quiet:
            print(f"{shown(said)}.", flush=True)

    if problem := try_each(names, say, harmless):
        raise SockwakeError(f"not all of them were {done}", status=problem.status)


def problem_of(error: Exception) -> SockwakeError:
    """An error as a sentence; one of a system call with its path, and what helps."""
    problem = failure(error)
    if isinstance(error, PermissionError):
        problem.hint = scope.as_root()
    return problem


def try_each(
    names: Sequence[_Thing],
    one: Callable[[_Thing], None],
    harmless: tuple[type[SockwakeError], ...] = (),
) -> SockwakeError | None:
    """Do something to each instance, or image, and say what failed; returns the last failure.

    Raises the error of the only one, which may be an OSError.
    """
    problem = None
    for name in names:
        try:
            one(name)
        except harmless as error:
            print(f"sockwake: {name}: {error.told}", file=sys.stderr)
        except BrokenPipeError:
            raise  # what reads the output has ended, as head(1) does
        except (SockwakeError, OSError) as error:
            if len(names) == 1:
                raise
            problem = problem_of(error)
            print(f"sockwake: {name}: {problem.told}", file=sys.stderr)
    return problem
