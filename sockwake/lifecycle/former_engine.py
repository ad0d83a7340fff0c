"""What a container engine still runs of an instance that crun wakes by now: RUNTIME= was edited.

`sockwake runtime` removes it itself; an edit by hand comes here at the next wake, when the bundle
has to be made.
"""

from __future__ import annotations

import os

from sockwake.config.instance import Instance
from sockwake.config.settings import Settings
from sockwake.engine import belongings, project_containers
from sockwake.engine.api import Engine
from sockwake.engine.container import Container
from sockwake.engine.resources import engines_of
from sockwake.lifecycle import served
from sockwake.oci import bundle
from sockwake.system import journal


def stop(instance: Instance, settings: Settings) -> None:
    """Stop its container in every engine that runs; of a PostgreSQL remove it.

    Any other may have data in the container itself, and in volumes without a name.
    Engines are asked, which may start them by their sockets, only where there was no bundle, or
    where a server is at work. What one does not do is written to the journal.
    """
    is_new = settings.has_cluster and os.path.exists(instance.uninitialised_file)
    if is_new or (os.path.exists(bundle.path(instance)) and not served.server_of(settings)):
        return
    for engine in engines_of(None):
        journal.aside(_stop, engine, instance, settings)


def _stop(engine: Engine, instance: Instance, settings: Settings) -> None:
    if not belongings.has_container(engine, instance):
        return
    if project_containers.running(engine, instance):
        Container(instance.container, engine).stop(insist=settings.fast_stop)
        journal.say(f"stopped its container in {engine.program}: crun wakes it by now")
    if settings.has_cluster:
        belongings.remove(engine, instance)
        journal.say(f"removed its container in {engine.program}")
