"""A piece of work in a process beside this one, which goes on when this one is killed."""

import json
import os
import signal
from collections.abc import Callable

from sockwake.errors import SockwakeError, failure

_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


class Killed(SockwakeError):
    """The process that did the work was killed before its end."""


def run(work: Callable[[], None]) -> None:
    """Do the work in a child of a session of its own, and wait for it.

    No signal but SIGKILL ends the two meanwhile, so that the work has to be short. Open files and
    the locks on them are the child's, too. Raises the SockwakeError of the work, and Killed.
    """
    here, there = os.pipe()
    before = {number: signal.signal(number, signal.SIG_IGN) for number in _ENDINGS}
    try:
        child = os.fork()
        if not child:
            _do(work, there)
        os.close(there)
        with open(here, encoding="utf-8") as pipe:
            said = pipe.read()
        status = os.waitpid(child, 0)[1]
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if status or not said:
        raise Killed("the process that did it was killed")
    if told := json.loads(said):
        raise SockwakeError(told["message"], told["hint"], told["status"], told["said"])


def _do(work: Callable[[], None], pipe: int) -> None:
    """In the child: do the work, tell how it ended, and end."""
    try:
        os.setsid()
        told = None
        try:
            work()
        except (SockwakeError, OSError) as error:
            told = vars(failure(error))
        os.write(pipe, json.dumps(told).encode())
        os._exit(0)
    finally:
        os._exit(1)
