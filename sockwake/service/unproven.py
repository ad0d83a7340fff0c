"""A server that never got ready, or that nothing proves ready any more: it is ended."""

from __future__ import annotations

import os
import signal

from sockwake.config.instance import Instance
from sockwake.errors import SockwakeError
from sockwake.lifecycle import main_process, start_attempt
from sockwake.lifecycle.main_process import Ended
from sockwake.lifecycle.monitor import readable
from sockwake.system import pids

# how one that never became ready is ended: a signal, how often at most, and the seconds after each
_SIGINT = (signal.SIGINT, 60, 0.5)  # a PostgreSQL
_SIGTERM = (signal.SIGTERM, 1, 5.0)  # any other; bin/end knows the time, too


def give_up(instance: Instance, verb: str) -> None:
    """End a server whose proof was killed; a reason that was left for clients stays.

    verb: of service/program.py. Raises the reason, SockwakeError, when there was none.
    """
    try:
        main_process.executable(main_process.pid())
    except Ended:  # systemd may not know yet
        return
    if os.path.exists(instance.failure_file):
        end_server(verb)
        return
    start_attempt.note(instance)
    raise SockwakeError("what waits until it is ready was killed")


def end_server(verb: str) -> None:
    """End a server that never got ready: by SIGKILL after a time, if it does not end before.

    A PostgreSQL is sent its signal again and again: as process 1 of its pid namespace it does not
    get one for which it has no handler yet (pid_namespaces(7)). Any other, which may take a second
    one for an order to give up at once, gets it once, and less time.
    """
    server = main_process.descriptor()
    if server == pids.NONE:
        return
    is_any = verb in ("await", "unproven-program") or start_attempt.ends_anyhow()
    number, times, pause = _SIGTERM if is_any else _SIGINT
    for _ in range(times):
        pids.send(server, number)
        if readable(server, timeout=pause):
            return
    pids.send(server, signal.SIGKILL)  # systemd, or bin/end, kills the rest of the unit
