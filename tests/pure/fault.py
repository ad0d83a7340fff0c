"""End a piece of work at its n-th change to the file system, as kill -9 or a full disk would.

The work runs in a forked child, whose functions of `os` count the steps. Nothing else is replaced.
"""

import errno
import itertools
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

_STEPS = ("chmod", "chown", "fchmod", "fsync", "mkdir", "open", "rename", "rmdir", "unlink")
_NEVER_REACHED = 200
_EVERY = 1 if os.environ.get("SOCKWAKE_SOAK") else 3
KILLED = 137


@dataclass(frozen=True)
class Ended:
    """How the child ended, whether it reached the step, and what it printed."""

    step: int
    status: int
    reached: bool
    stdout: str
    stderr: str


def kill() -> NoReturn:
    """End as by kill -9: no handler, no finally, nothing flushed."""
    os._exit(KILLED)


def disk_full() -> NoReturn:
    """Fail as a system call on a full disk."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def at_every_step(
    work: Callable[[], int], fault: Callable[[], NoReturn], every: int = _EVERY
) -> Iterator[Ended]:
    """Run work with fault at its first, its second, … step, and at last without a fault.

    Outside of the soak it is every third step: each takes a process and a world to begin with.
    Between two rounds the caller restores what work needs.
    """
    for step in itertools.count(1, every):
        assert step < _NEVER_REACHED, "the work does not end"
        ended = at_step(step, work, fault)
        yield ended
        if not ended.reached:
            return


def undisturbed(work: Callable[[], int]) -> Ended:
    """Run work in a child to its end."""
    return at_step(0, work, kill)


def at_step(step: int, work: Callable[[], int], fault: Callable[[], NoReturn]) -> Ended:
    """Run work in a child with fault at its step-th step."""
    with (
        tempfile.TemporaryFile("w+") as stdout,
        tempfile.TemporaryFile("w+") as stderr,
        tempfile.TemporaryFile() as mark,
    ):
        child = os.fork()
        if not child:
            os.dup2(stdout.fileno(), 1)
            os.dup2(stderr.fileno(), 2)
            sys.stdout, sys.stderr = (
                open(1, "w", closefd=False),
                open(2, "w", closefd=False),
            )  # pytest has its own there
            _work(step, work, fault, mark.fileno())
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        stdout.seek(0)
        stderr.seek(0)
        return Ended(
            step, status, os.fstat(mark.fileno()).st_size > 0, stdout.read(), stderr.read()
        )


def _work(step: int, work: Callable[[], int], fault: Callable[[], NoReturn], mark: int) -> NoReturn:
    counter = itertools.count(1)

    def counting(function: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **options: Any) -> Any:
            if next(counter) == step:
                os.write(mark, b"reached")
                fault()
            return function(*args, **options)

        return counted

    for name in _STEPS:
        setattr(os, name, counting(getattr(os, name)))
    status = 1
    try:
        status = work()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
