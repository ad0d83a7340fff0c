"""A compose project after sockwake rm: as it was before, but for what --purge deletes."""

import sys

from sockwake.config.instance import Instance
from sockwake.config.settings import Settings
from sockwake.engine import belongings, compose_project, project_containers
from sockwake.engine.api import Engine
from sockwake.errors import SockwakeError
from sockwake.system import process


def hand_back(engine: Engine, instance: Instance, settings: Settings, *, purge: bool) -> list[str]:
    """Remove its containers and networks; returns one sentence for each volume made for it.

    All volumes stay, those without a name too: such a volume is found by its container alone, so
    that compose makes that one anew, with it, as it would without sockwake.
    """
    volumes = belongings.labelled_volumes(engine, instance)
    if purge and volumes:
        print(f"sockwake: deletes the volumes {', '.join(volumes)}", file=sys.stderr, flush=True)
    said = [] if purge else _make_as_before(engine, instance, settings)
    belongings.remove(engine, instance, volumes=False)
    for name in volumes:
        if purge:
            engine.call("DELETE", f"/volumes/{name}")
        said.append(f"{'deleted' if purge else 'left'} the volume {name}")
    return said if settings.data else [*said, f"left the project in {settings.project}"]


def _make_as_before(engine: Engine, instance: Instance, settings: Settings) -> list[str]:
    """Have compose make the containers with volumes that have no name, of its own files."""
    services = belongings.with_anonymous_volumes(engine, instance)
    if not services:
        return []
    try:
        project = compose_project.read(settings.project, settings.profiles)
        there_are = [name for name in services if name in project.services]
        create = [*compose_project.CREATE, *there_are]
        environment = project_containers.environment(engine)
        process.run(
            [*project.said_by_hand(environment), *create],
            cwd=project.directory,
            timeout=settings.start_timeout,
        )
    except SockwakeError as error:
        return [
            f"left the volumes without a name of {', '.join(services)}, which compose could not "
            f"give back ({error.message})"
        ]
    return []
