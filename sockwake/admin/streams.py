"""The standard streams of a command: some may be closed, and what it writes may find no room."""

import io
import os
import select
import sys
from contextlib import suppress

from sockwake.errors import SockwakeError, reason

_NUMBERS = {0: "stdin", 1: "stdout", 2: "stderr"}


def prepare() -> None:
    """Have /dev/null for those that are closed, and letters for what the locale lacks."""
    for number, name in _NUMBERS.items():
        if getattr(sys, name) is None:  # else the next file that is opened would have its number
            _lead_nowhere(number)
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # the locale may lack letters of a path
            stream.reconfigure(errors="backslashreplace")


def has_reader() -> bool:
    """Whether the output is not a pipe, or a socket, that no process reads any more."""
    watched = select.poll()
    try:
        watched.register(sys.stdout.fileno(), 0)
        return not watched.poll(0)
    except (OSError, ValueError):  # in a test, it is none of the kernel's
        return True


def unwritten(error: OSError) -> SockwakeError | None:
    """The sentence for an error of the output; None when it was one of something else."""
    if error.filename is not None:
        return None
    try:
        sys.stdout.flush()  # tries again what is left of it
    except OSError as again:
        return SockwakeError(f"cannot write the output: {reason(again)}")
    return None


def give_up() -> None:
    """Have nothing left to write for the interpreter, whose end would fail with it (status 120)."""
    for number, stream in ((1, sys.stdout), (2, sys.stderr)):
        try:
            stream.flush()
        except (OSError, KeyboardInterrupt):
            _lead_nowhere(number)
            with suppress(OSError):
                stream.flush()


def _lead_nowhere(number: int) -> None:
    """Have the descriptor of this number, which may be closed, be /dev/null, for programs too."""
    null = os.open(os.devnull, os.O_RDWR)
    if null == number:
        os.set_inheritable(number, True)
    else:
        os.dup2(null, number)
        os.close(null)
