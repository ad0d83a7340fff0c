"""One job for each of several instances."""

import sys
from collections.abc import Callable, Sequence

from sockwake.config.instance import Name
from sockwake.errors import SockwakeError


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
    failure. Raises SockwakeError at the end, or that of the only one.
    """

    def say(name: Name) -> None:
        said = one(name)
        if not quiet:
            print(f"{said}.", flush=True)

    if problem := try_each(names, say, harmless):
        raise SockwakeError(f"not all of them were {done}", "run it again", problem.status)


def try_each(
    names: Sequence[Name],
    one: Callable[[Name], None],
    harmless: tuple[type[SockwakeError], ...] = (),
) -> SockwakeError | None:
    """Do something to each instance, and say what failed; returns the last failure.

    Raises the error of the only instance.
    """
    problem = None
    for name in names:
        try:
            one(name)
        except harmless as error:
            print(f"sockwake: {name}: {error.whole}", file=sys.stderr)
        except SockwakeError as error:
            if len(names) == 1:
                raise
            print(f"sockwake: {name}: {error.whole}", file=sys.stderr)
            problem = error
    return problem
