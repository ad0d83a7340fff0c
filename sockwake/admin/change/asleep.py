"""An instance whose files are about to be moved, copied or worked on: what it takes."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sockwake.admin import inventory
from sockwake.config import scope
from sockwake.config.instance import Instance
from sockwake.config.settings import Settings
from sockwake.engine import belongings
from sockwake.engine.api import EngineError
from sockwake.engine.resources import engine_with_volumes
from sockwake.errors import SockwakeError
from sockwake.lifecycle import drain, holds, unwatched
from sockwake.lifecycle.still import held_back, is_awake
from sockwake.system import systemctl


@contextmanager
def held_asleep(
    instance: Instance, settings: Settings, *, force: bool = False, by_hand: Settings | None = None
) -> Iterator[None]:
    """Have it sleep within a with statement, while clients wait in the queue of its port.

    force: also under clients that are connected; without it they raise SockwakeError (in use).
    by_hand: settings with the engine that may run a container of it that was started by hand, which
    is stopped, as two servers would share the data; its own when None.
    """
    with held_back(instance):
        drain.begin(instance, settings, force=force, hint=_hint(instance), served=True)
        if systemctl.main_pid(instance.backend_unit):
            inventory.say(f"waiting for {instance.backend_unit} to stop")
        systemctl.stop(instance.backend_unit)
        with suppress(EngineError):  # an engine that does not run runs no container
            unwatched.stop(instance, by_hand or settings)
        yield


@contextmanager
def awake_again(instance: Instance) -> Iterator[None]:
    """Have one that was awake be so again behind a with statement, as long as it is held."""
    was_awake = is_awake(instance)
    try:
        yield
    finally:
        if was_awake and not is_awake(instance) and holds.is_held(instance):
            # what has just started it for a hold takes this for a stop by hand
            systemctl.stop(holds.unit(instance))
            holds.start_again(instance)


def require_unused(instance: Instance, settings: Settings) -> None:
    """Raise SockwakeError (in use) while clients are connected, or it is held awake."""
    if not instance.root:
        drain.require_no_clients(instance, settings, _hint(instance), served=True)
    release = scope.command("sockwake release", instance.name)
    holds.require_none(instance, f"{release} --all ends that")


def _hint(instance: Instance) -> str:
    """How clients are sent away that are in the way."""
    stop = scope.command("systemctl", "stop", instance.backend_unit)
    return f"{stop} sends them away, and leaves the port open"


def require_movable(instance: Instance, settings: Settings, what: str) -> None:
    """Raise SockwakeError for data that are an engine's, under a name made of the instance's.

    And where that may be, as the engine does not run.

    what: "renamed", for the error.
    """
    if settings.is_project:
        raise SockwakeError(
            f"a compose project is not {what}: its containers and volumes have compose's names",
            f"{scope.command('sockwake rm', instance.name)} gives the project back; "
            f"{scope.command('sockwake-new')} with another name",
        )
    if not (engine := engine_with_volumes(instance, settings)):
        return
    names = belongings.volumes(engine, instance)
    nameless = belongings.with_anonymous_volumes(engine, instance)
    if names or nameless:
        kept = ", ".join(names) or "a volume without a name"
        raise SockwakeError(
            f"instance '{instance.name}' keeps data in {engine.program}, in {kept}, which "
            f"cannot be {what} with it",
            "move them into a directory, by --mount and --data",
        )
