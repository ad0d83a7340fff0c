"""The image of an instance that crun wakes: in the store, or taken from where it is."""

import os
import sys

from sockwake.config import resolved, scope
from sockwake.config.instance import Instance
from sockwake.config.settings import Settings
from sockwake.engine import api, images
from sockwake.engine.api import Engine
from sockwake.errors import SockwakeError
from sockwake.oci import bundle, names, store
from sockwake.oci.store import Image

TRANSPORTS = {"docker": "docker-daemon:", "podman": "containers-storage:"}


def obtain(
    instance: Instance, settings: Settings, reference: str, *, may_pull: bool, quiet: bool
) -> Image:
    """The image that compose.yaml calls reference; raises SockwakeError when it is not to be had.

    The instance keeps the one it has, or was baked with, as long as compose.yaml calls it the same.
    Otherwise an engine that runs is asked first, as images are built there. may_pull: whether a
    registry may be asked.
    """
    had = bundle.reference_of(instance), bundle.image_of(instance)
    for name, digest in (had, resolved.image(instance)):
        if name == reference and (kept := store.find(digest, instance.root)):
            return kept
    engine = Engine(api.socket_of(settings.engine))
    source = f"{TRANSPORTS[settings.engine]}{reference}"
    if _is_known_to(engine, reference):
        return store.take(source, quiet=quiet, name=reference)
    if stored := _stored(instance, reference):
        return stored
    if may_pull and os.path.exists(engine.path):
        images.pull(engine, reference, quiet=quiet)
        return store.take(source, quiet=quiet, name=reference)
    if may_pull:
        return store.take(f"docker://{reference}", quiet=quiet, name=reference)
    raise SockwakeError(
        f"image {reference} is not on this machine",
        scope.command("sockwake images pull", reference),
    )


def newest(
    instance: Instance, settings: Settings, reference: str, *, quiet: bool
) -> tuple[Image, bool]:
    """The newest image of a name, and whether the registry has said so.

    It is asked through an engine that runs, or without one. Where it does not answer, or does not
    know the name, as of an image that was built here, why is said on stderr, and it is that of the
    engine or the one that is here already. Raises SockwakeError when there is none at all.
    """
    engine = Engine(api.socket_of(settings.engine))
    has_said = True
    try:
        if not os.path.exists(engine.path):
            return store.take(f"docker://{reference}", quiet=quiet, name=reference), has_said
        images.pull_anew(engine, reference, quiet=quiet)
    except SockwakeError as error:
        has_said = False
        is_known = _is_known_to(engine, reference)
        stored = None if is_known else _stored(instance, reference)
        if not (is_known or stored):
            raise
        print(f"sockwake: warning: {error.whole}", file=sys.stderr)
        if stored:
            return stored, has_said
    source = f"{TRANSPORTS[settings.engine]}{reference}"
    return store.take(source, quiet=quiet, name=reference), has_said


def _stored(instance: Instance, reference: str) -> Image | None:
    """The image that was taken by this name before, best by this very one, or None."""
    every = store.images(instance.root)
    exactly = (each for each in every if reference in each.notes.names)
    in_full = (
        each for each in every if any(names.same(reference, known) for known in each.notes.names)
    )
    return next(exactly, None) or next(in_full, None)


def _is_known_to(engine: Engine, reference: str) -> bool:
    """Whether an engine runs and has an image of this name."""
    try:
        images.require_image(engine, reference)
    except SockwakeError:
        return False
    return True
