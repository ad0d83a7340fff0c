"""What an instance needs to be woken by another runtime: looked for, made, and forgotten again."""

from __future__ import annotations

import os

from sockwake.config import scope
from sockwake.config.instance import Instance
from sockwake.config.settings import Settings
from sockwake.engine import belongings, images, resources, users
from sockwake.engine.api import Engine, EngineError
from sockwake.engine.compose import Project
from sockwake.engine.container import Container
from sockwake.errors import SockwakeError
from sockwake.lifecycle import bundled, provision, runtime
from sockwake.lifecycle.needs_engine import EngineNeededError
from sockwake.oci import bundle, layers, spec
from sockwake.system import deletion, files


def prepare(instance: Instance, settings: Settings, *, quiet: bool) -> None:
    """Get the image, and look whether all else is possible; raises SockwakeError.

    settings: those with the new runtime. Nothing of the instance is touched.
    """
    if settings.is_bundled:
        if settings.data:
            resources.require_unseen(instance, settings.data)
        try:
            definition = bundled.Definition(instance, settings, may_pull=True, quiet=quiet)
            _require_no_volume(instance, settings, definition)
        except EngineNeededError as error:
            raise EngineNeededError(error.why, f"{settings.engine} goes on to wake it") from None
        return
    if kept := layers.has_volumes(instance):
        raise SockwakeError(
            f"what its image keeps is in {kept[0]}, which an engine does not mount",
            f"mount a copy of it: volumes: in {instance.compose_file}",
        )
    engine = Engine.of(settings)
    engine.call("GET", "/_ping")
    project = Project(instance, settings, engine)
    config = project.config()
    project.require_free(config, is_new=False)
    _, service = project.service(config)
    if settings.has_cluster:
        users.require_unmapped(engine, service)
    if settings.data:
        belongings.require_unseen(engine, instance, settings.data)
    images.pull(engine, str(service.get("image") or settings.image), quiet=quiet)


def _require_no_volume(
    instance: Instance, settings: Settings, definition: bundled.Definition
) -> None:
    """Raise EngineNeededError when an engine has data of it in a volume without a name."""
    if settings.has_cluster or layers.has_volumes(instance):
        return
    if paths := spec.unmounted(definition.service, definition.image.config):
        why = f"what its image keeps in {paths[0]} is in a volume of the engine's"
        raise EngineNeededError(why, "")


def make(instance: Instance, settings: Settings) -> None:
    """Make bundle or container, of the files as they are; raises SockwakeError.

    The backend is down.
    """
    runtime.make_directories(instance)
    lock = runtime.take_data(instance, settings.data) if settings.data else -1
    try:
        if settings.is_bundled:
            bundled.make_what_is_missing(instance, settings, _drop)
        else:
            container = Container(instance.container, Engine.of(settings))
            made_of = instance.fingerprint()
            provision.make_what_is_missing(instance, settings, container, made_of, _drop)
    finally:
        if lock >= 0:
            os.close(lock)


def forget_other(instance: Instance, settings: Settings) -> list[str]:
    """Remove what the runtime that does not wake it has of it; returns sentences.

    settings: those with the runtime that wakes it. Of an engine only what is provably the
    instance's. Image and data stay.
    """
    if instance.root or scope.is_user():  # whose instances have never had another
        return []
    if not settings.is_bundled:
        had = os.path.lexists(bundle.path(instance))
        bundle.remove(instance)
        deletion.tree(bundle.state(instance), quietly=True)
        files.remove(instance.unit_file)
        if os.path.lexists(bundle.path(instance)):
            return [f"left its bundle {bundle.path(instance)}, which could not be removed"]
        return ["removed its bundle"] if had else []
    said = []
    for engine in resources.engines_of(None):
        try:
            if belongings.has_container(engine, instance):
                belongings.remove(engine, instance)
                said.append(f"removed its container in {engine.program}")
        except EngineError as error:
            said.append(f"left what {engine.program} has of it ({error.message})")
    return said


def _drop(_text: bytes) -> None:
    """Write nothing."""
