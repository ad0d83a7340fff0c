"""What has to be true of an instance whose files are about to be moved or copied."""

from sockwake.config import scope
from sockwake.config.instance import Instance
from sockwake.config.settings import Settings
from sockwake.engine import belongings, project_containers
from sockwake.engine.resources import engines_of
from sockwake.errors import IN_USE, SockwakeError
from sockwake.system import systemctl

_DOWN = ("inactive", "failed", "")


def require_asleep(instance: Instance, settings: Settings) -> None:
    """Raise SockwakeError (in use) while anything of it runs; in a tree nothing does."""
    if instance.root or not systemctl.is_running():
        return
    if systemctl.active_state(instance.backend_unit) not in _DOWN:
        raise SockwakeError(
            f"instance '{instance.name}' is awake",
            scope.command("sockwake sleep", instance.name),
            IN_USE,
        )
    for engine in engines_of(settings):
        if project_containers.running(engine, instance):
            raise SockwakeError(
                f"a container of instance '{instance.name}' runs though no client woke it",
                scope.command("systemctl start", f"{instance.check_unit}.service"),
                IN_USE,
            )


def require_movable(instance: Instance, settings: Settings, what: str) -> None:
    """Raise SockwakeError for data that are an engine's, under a name made of the instance's.

    what: "renamed", for the error.
    """
    if settings.is_project:
        raise SockwakeError(
            f"a compose project is not {what}: its containers and volumes have compose's names",
            f"sockwake rm {instance.name} gives the project back; sockwake-new with another name",
        )
    if instance.root:
        return
    for engine in engines_of(settings):
        names = belongings.volumes(engine, instance)
        nameless = belongings.with_anonymous_volumes(engine, instance)
        if names or nameless:
            kept = ", ".join(names) or "a volume without a name"
            raise SockwakeError(
                f"instance '{instance.name}' keeps data in {engine.program}, in {kept}, which "
                f"cannot be {what} with it",
                "move them into a directory, by --mount and --data",
            )
