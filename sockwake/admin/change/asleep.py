"""What has to be true of an instance whose files are about to be moved or copied."""

from sockwake.config.instance import Instance
from sockwake.config.settings import Settings
from sockwake.engine import belongings
from sockwake.engine.resources import engines_of
from sockwake.errors import SockwakeError


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
