"""Hold a wake back while the machine is short of memory: an ExecCondition= of the backend's unit.

There only where the instance has PRESSURE=wait or PRESSURE=refuse (sockwake-generator). Its client
waits in the queue of the port meanwhile: nothing of the instance runs. When it leaves, or the unit
is stopped, the wake is no failure, which a later client would be told: nothing is started.
"""

from __future__ import annotations

import _signal  # type: ignore  # the typeshed has no stub for it
import os
import sys
import time

from sockwake.config import scope
from sockwake.config.instance import Instance, Name
from sockwake.config.settings import Settings, load
from sockwake.errors import SockwakeError, failure
from sockwake.lifecycle import pressure, runtime, start_attempt
from sockwake.system import files, namespaces, sdnotify

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket

_LOOK_EVERY = 0.25  # seconds
_BEFORE_ITS_END = 2  # seconds; then systemd ends the start of a native program, without a word
# exit statuses of ExecCondition=, systemd.service(5); of a stop the first is no failure, either
_GOES_ON, _NOTHING_IS_STARTED, _HAS_FAILED = 0, 1, 255
# what a container's stop_signal can be, which systemd sends to this, too
_OTHERS = (_signal.SIGUSR1, _signal.SIGUSR2, _signal.SIGWINCH, _signal.SIGPWR)
_STOPS = (*sdnotify.ENDING, *_OTHERS, *range(_signal.SIGRTMIN, _signal.SIGRTMAX + 1))


def main(arguments: list[str]) -> int:
    """pressure NAME. Returns the status of an ExecCondition=: 0 when the wake may go on."""
    os.umask(0o022)
    for number in _STOPS:
        _signal.signal(number, lambda *_: os._exit(_GOES_ON))
    instance = Instance(Name(arguments[0]))
    try:
        # a start that tells clients of a native program why there was none takes no memory
        if start_attempt.is_refusing():
            return _GOES_ON
        if not scope.is_user():
            namespaces.leave_sandbox()
        runtime.make_directories(instance)
        settings = load(instance)
        files.remove(instance.nobody_file)
        if await_memory(instance, settings):
            return _GOES_ON
        from sockwake.service import turn_away

        print("no client waits any more: nothing is started", flush=True)
        turn_away.start_nothing(instance)
    except Exception as error:
        _refuse(instance, failure(error))
        return _HAS_FAILED
    return _NOTHING_IS_STARTED


def await_memory(instance: Instance, settings: Settings) -> bool:
    """Wait until the machine has the memory, which is promised to this instance then.

    Returns False when no connection in the queue is a client's any more: these have been closed.
    Raises SockwakeError when there is not enough, within START_TIMEOUT or at all.
    """
    patience = 0.0
    if settings.pressure == "wait":
        patience = max(settings.start_timeout - _BEFORE_ITS_END, 1)
    deadline = time.monotonic() + patience
    listeners: list[socket.socket] | None = None
    has_told = False
    while not (demand := pressure.admit(instance, settings.start_timeout)).is_met:
        if time.monotonic() > deadline:
            raise SockwakeError("the machine is short of memory", said=str(demand))
        from sockwake.service import turn_away  # late: with enough memory no wake has a use for it

        if listeners is None:  # those of a user's own systemd cannot be seen
            listeners = [] if scope.is_user() else turn_away.sockets(settings)
        if not turn_away.is_wanted(instance, settings, listeners):
            return False
        if not has_told:
            print(f"waits until the machine has memory: {demand}", flush=True)
            has_told = True
        time.sleep(_LOOK_EVERY)
    return True


def _refuse(instance: Instance, error: SockwakeError) -> None:
    """Leave the reason for the client, and for the end of this start."""
    start_attempt.note(instance)
    files.remove(instance.ready_file)
    runtime.leave_failure(instance, error)
    print(error, file=sys.stderr)
