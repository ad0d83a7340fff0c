"""Before data are deleted: whether a container that is not the instance's mounts them.

And whether the engine answers that has them in volumes.
"""

from collections.abc import Iterator

from sockwake.admin.make import claims, engine_choice
from sockwake.config import scope
from sockwake.config.instance import Instance
from sockwake.config.settings import Settings
from sockwake.engine import belongings, holdings
from sockwake.engine.api import Engine, EngineError, socket_of
from sockwake.engine.belongings import Thing
from sockwake.engine.resources import engine_with_volumes, listens
from sockwake.errors import EXISTS, SockwakeError

_OR_KEEP = "or leave out --purge, which leaves the data"


def require_unmounted(instance: Instance, data: str) -> None:
    """Raise SockwakeError (exists) when a container, running or not, mounts data or a part of them.

    Every engine that is installed is asked, whatever wakes the instance. One that does not answer
    may have such a container: SockwakeError. A container that mounts a place of the system's, as
    those do that watch the host, does not count.
    """
    for engine in _installed():
        for each, place in _mounting(engine, data):
            if claims.is_system_s(place) or belongings.is_own_container(each, instance):
                continue
            raise _mounted(engine, each, data, place)


def require_volumes_known(instance: Instance, settings: Settings) -> None:
    """Raise SockwakeError when the engine that may have volumes of it is there and does not answer.

    What was in one that was uninstalled no purge can delete.
    """
    if settings.engine not in _installed():
        return
    try:
        engine_with_volumes(instance, settings)
    except SockwakeError as error:
        hint = "; ".join(filter(None, (error.hint, "or leave out --purge, which leaves them")))
        raise SockwakeError(error.message, hint, said=error.said) from None


def _installed() -> list[str]:
    """The engines that are there, by their programs; a user's own is podman."""
    return [engine_choice.PODMAN] if scope.is_user() else engine_choice.installed()


def _mounting(engine: str, data: str) -> Iterator[tuple[Thing, str]]:
    """The containers of an engine that mount data. Podman can be asked without its socket."""
    path = socket_of(engine)
    if engine == engine_choice.PODMAN and not listens(path):
        return iter(()) if scope.is_user() else holdings.mounting_without_api(data)
    try:
        return holdings.mounting(Engine(path), data)
    except EngineError as error:
        ask = f"systemctl start {engine}.service, to ask it which containers mount {data}"
        raise SockwakeError(error.message, f"{ask}; {_OR_KEEP}", said=error.said) from None


def _mounted(engine: str, each: Thing, data: str, place: str) -> SockwakeError:
    other = belongings.label_of(each, belongings.LABEL)
    name = (belongings.names_of(each) or [str(each.get("Id"))])[0]
    where = "" if place == data else f" ({place})"
    if other:
        return SockwakeError(
            f"data directory {data} is not for one alone: "
            f"the container of instance '{other}' has {place}",
            f"{scope.command('sockwake rm', other)} removes that one",
            EXISTS,
        )
    return SockwakeError(
        f"data directory {data}{where} is mounted by {engine}'s container {name}",
        f"{engine} rm {name} removes that container, if it may go; {_OR_KEEP}",
        EXISTS,
    )
