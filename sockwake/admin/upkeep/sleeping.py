"""An instance that sleeps on while its cluster is worked on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sockwake.admin import inventory
from sockwake.config import scope
from sockwake.config.instance import Instance
from sockwake.config.settings import Settings
from sockwake.engine.api import EngineError
from sockwake.lifecycle import drain, holds, unwatched
from sockwake.lifecycle.still import held_back
from sockwake.system import systemctl


@contextmanager
def held_asleep(instance: Instance, settings: Settings, *, force: bool = False) -> Iterator[None]:
    """Have it sleep within a with statement, while clients wait in the queue of its port.

    force: also under clients that are connected; without it they raise SockwakeError (in use).
    """
    with held_back(instance):
        drain.begin(instance, settings, force=force, hint=_hint(instance), served=True)
        if systemctl.main_pid(instance.backend_unit):
            inventory.say(f"waiting for {instance.backend_unit} to stop")
        systemctl.stop(instance.backend_unit)
        with suppress(EngineError):  # an engine that does not run runs no container
            unwatched.stop(instance, settings)
        yield


def require_unused(instance: Instance, settings: Settings) -> None:
    """Raise SockwakeError (in use) while clients are connected, or it is held awake."""
    drain.require_no_clients(instance, settings, _hint(instance), served=True)
    holds.require_none(
        instance, f"{scope.command('sockwake release', instance.name)} --all ends that"
    )


def _hint(instance: Instance) -> str:
    stop = scope.command("systemctl", "stop", instance.backend_unit)
    return f"{stop} sends them away, and leaves the port open"
