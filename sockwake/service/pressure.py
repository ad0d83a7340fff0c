"""Hold a wake back while the machine is short of memory: ExecStartPre= of pg-postgres@NAME.service.

There only where the instance has PRESSURE=wait or PRESSURE=refuse (sockwake-generator). Its client
waits in the queue of the port meanwhile: nothing of the instance runs.
"""

from __future__ import annotations

import os
import sys
import time

from sockwake.clients import connections
from sockwake.config import scope
from sockwake.config.instance import Instance, Name
from sockwake.config.settings import Settings, load
from sockwake.errors import SockwakeError
from sockwake.lifecycle import pressure, runtime, start_attempt
from sockwake.lifecycle.pressure import Demand
from sockwake.system import files, namespaces

_LOOK_EVERY = 0.25  # seconds
_BEFORE_ITS_END = 2  # seconds; then systemd ends the start of a native program, without a word


def main(arguments: list[str]) -> int:
    """pressure NAME. Returns 0 when the wake may go on, and 1 when its client is refused."""
    os.umask(0o022)
    instance = Instance(Name(arguments[0]))
    try:
        if not scope.is_user():
            namespaces.leave_sandbox()
        settings = load(instance)
        runtime.make_directories(instance)
        await_memory(instance, settings)
    except SockwakeError as error:
        _refuse(instance, error)
        return 1
    return 0


def await_memory(instance: Instance, settings: Settings) -> None:
    """Return when the machine has the memory, which is promised to this instance then.

    Raises SockwakeError: it has not, within START_TIMEOUT or at all, or the clients have left.
    """
    patience = 0.0
    if settings.pressure == "wait":
        patience = max(settings.start_timeout - _BEFORE_ITS_END, 1)
    deadline = time.monotonic() + patience
    had_clients, has_told = _waits(settings), False
    while not (demand := pressure.admit(instance, settings.start_timeout)).is_met:
        if time.monotonic() > deadline:
            raise _short(demand)
        if had_clients and not _waits(settings):
            raise SockwakeError("its client has left while the machine was short of memory")
        if not has_told:
            print(f"waits until the machine has memory: {demand}", flush=True)
            has_told = True
        time.sleep(_LOOK_EVERY)


def _waits(settings: Settings) -> bool:
    """Whether a client is in the queue that can be seen, and has not left."""
    return bool(connections.first_client(connections.queue(settings), settings))


def _short(demand: Demand) -> SockwakeError:
    return SockwakeError("the machine is short of memory", said=str(demand))


def _refuse(instance: Instance, error: SockwakeError) -> None:
    """Leave the reason for the client, and for the end of this start."""
    this_run = f"{os.environ['INVOCATION_ID']} {start_attempt.uptime()}"
    files.replace_volatile(start_attempt.awaited(instance), this_run)
    files.remove(instance.ready_file)
    runtime.leave_failure(instance, error)
    print(error, file=sys.stderr)
