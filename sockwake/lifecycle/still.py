"""Have an instance sleep on: its wakes wait, clients in the queue of its port, its data locked."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from sockwake.config import scope
from sockwake.config.instance import Instance
from sockwake.config.settings import Settings
from sockwake.engine import project_containers
from sockwake.engine.resources import engines_of, listens
from sockwake.errors import IN_USE, SockwakeError
from sockwake.lifecycle import runtime
from sockwake.system import locks, systemctl, transient, tree_copy

_DOWN = ("inactive", "failed", "")
_AGAIN = 3600  # seconds that an instance may be awake before a copy of it begins anew
_LOOK_EVERY = 1  # seconds
_LONGEST_MOVE = 30  # seconds that the job which holds back wakes may still have their lock


class AwakeError(SockwakeError):
    """An instance does not sleep."""


def is_awake(instance: Instance) -> bool:
    """Whether its backend runs, or is about to; in a tree nothing does."""
    if instance.root or not systemctl.is_running():
        return False
    return systemctl.active_state(instance.backend_unit) not in _DOWN


def require_asleep(instance: Instance, settings: Settings) -> None:
    """Raise AwakeError (in use) while anything of it runs; in a tree nothing does."""
    if instance.root or not systemctl.is_running():
        return
    if is_awake(instance):
        raise AwakeError(
            f"instance '{instance.name}' is awake",
            scope.command("sockwake sleep", instance.name),
            IN_USE,
        )
    for engine in engines_of(settings):
        if settings.has_cluster and not listens(engine.path):
            runtime.require_unserved(settings)  # by its processes: podman's outlive its socket
        elif project_containers.running(engine, instance):
            raise AwakeError(
                f"a container of instance '{instance.name}' runs though no client woke it",
                scope.command("systemctl start", f"{instance.check_unit}.service"),
                IN_USE,
            )


@contextmanager
def held_back(instance: Instance) -> Iterator[None]:
    """Hold back the wakes of an instance: clients wait in the socket's queue."""
    runtime.make_directories(instance)
    what = f"the lock of the wakes of '{instance.name}'"
    with locks.Directory(instance.run, what, _LONGEST_MOVE):
        transient.hold_back(instance.backend_unit, instance.run)
        yield


@contextmanager
def still(instance: Instance, settings: Settings) -> Iterator[Callable[[], bool]]:
    """Have an instance sleep on: its wakes wait, and nothing else uses its data.

    Yields a function that tells whether a client has come, or a command, which waits for the end.
    Raises AwakeError (in use).
    """
    if instance.root or not systemctl.is_running():
        yield lambda: False
        return
    with ExitStack() as stack:
        stack.enter_context(held_back(instance))
        require_asleep(instance, settings)
        if settings.data and os.path.isdir(settings.data):
            stack.callback(os.close, runtime.take_data(instance, settings.data))
            runtime.require_unserved(settings)
        yield lambda: systemctl.is_asked_to_start(instance.backend_unit)


def undisturbed(
    instance: Instance,
    settings: Settings,
    copy: Callable[[tree_copy.Asked], object],
    say: Callable[[str], None],
) -> None:
    """Call what copies the data while the instance sleeps on; again when it was interrupted.

    copy: raises InterruptedCopy when what it is given tells that a client has come, who is served
    then. say: gets what is waited for. Raises AwakeError when it is awake for an hour.
    """
    while True:
        try:
            with still(instance, settings) as is_wanted:
                copy(is_wanted)
            return
        except tree_copy.InterruptedCopy:
            say(f"a client of '{instance.name}' came, and the copy begins anew when it sleeps")
        deadline = time.monotonic() + _AGAIN
        time.sleep(_LOOK_EVERY)
        while systemctl.is_asked_to_start(instance.backend_unit) or is_awake(instance):
            if time.monotonic() > deadline:
                require_asleep(instance, settings)
            time.sleep(_LOOK_EVERY)
