"""The image of an instance that crun wakes: in the store, or taken from where it is."""

import os
import sys

from sockwake.config import resolved
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
        f"image {reference} is not on this machine", f"sockwake images pull {reference}"
    )


def newest(instance: Instance, settings: Settings, reference: str, *, quiet: bool) -> Image:
    """The newest image of a name: of the registry, through an engine that runs or without one.

    Where the registry does not know it, as one that was built here, that of the engine or the one
    that is here already. Raises SockwakeError when there is none at all.
    """
    engine = Engine(api.socket_of(settings.engine))
    try:
        if not os.path.exists(engine.path):
            return store.take(f"docker://{reference}", quiet=quiet, name=reference)
        images.pull_anew(engine, reference, quiet=quiet)
    except SockwakeError as error:
        if not _is_known_to(engine, reference):
            if stored := _stored(instance, reference):
                return stored
            raise
        print(f"sockwake: {error.whole}", file=sys.stderr)
    return store.take(f"{TRANSPORTS[settings.engine]}{reference}", quiet=quiet, name=reference)


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
