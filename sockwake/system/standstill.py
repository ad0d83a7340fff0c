"""A unit whose processes stand still (SIGSTOP) for a moment, and go on whatever happens."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from sockwake.system import process, systemctl

# it outlives a terminal that is closed, and a session that is ended
_AT_THE_END_OF_INPUT = 'trap "" HUP INT TERM; read -r nothing; exec "$@"'


@contextmanager
def standstill(unit: str) -> Iterator[None]:
    """Stop all processes of a unit within a with statement, and continue them at its end.

    Also when this process is killed in it: a child continues them then, which sees that in the end
    of a pipe. Raises SockwakeError, with nothing stopped, when it cannot be started.
    """
    source, ours = os.pipe()
    nothing = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    words = systemctl.kill_command(unit, "CONT", all_processes=True)
    try:
        child = process.begin(["sh", "-c", _AT_THE_END_OF_INPUT, "sh", *words], nothing, source)
    finally:
        os.close(source)
        os.close(nothing)
    try:
        systemctl.signal(unit, "STOP", all_processes=True)
        yield
    finally:
        systemctl.signal(unit, "CONT", all_processes=True)
        os.kill(child, signal.SIGKILL)  # not before: this may have been interrupted
        os.waitpid(child, 0)
        os.close(ours)
