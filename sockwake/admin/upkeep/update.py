"""sockwake update: give instances the newest image of their name, or the one before again.

For instances that crun wakes: each has the image that its bundle names, whatever the name leads to
by now. The next wake runs the new one; a server that runs goes on.
"""

from collections.abc import Sequence

from sockwake.admin import inventory
from sockwake.admin.operands import names as names_of
from sockwake.config import scope
from sockwake.config.instance import Instance, Name
from sockwake.config.settings import Settings, load, load_if_valid
from sockwake.errors import USAGE, SockwakeError
from sockwake.lifecycle import bundled, image_source
from sockwake.oci import bundle, names, store
from sockwake.oci.store import Image


def operands(words: Sequence[str], *, all_of_them: bool, root: str) -> list[Name]:
    """The instances that are named, or all that crun wakes; raises SockwakeError (usage)."""
    if bool(words) == all_of_them:
        raise SockwakeError("say which instances, or --all", "sockwake update --all", USAGE)

    def has_bundle(instance: Instance) -> bool:
        settings = load_if_valid(instance)
        return bool(settings and settings.is_bundled)

    return names_of(words, root, or_all=True, fits=has_bundle)


def update(name: Name, *, back: bool, root: str, quiet: bool) -> str:
    """Give an instance the newest image, or with back the one before; what was done, in words.

    Raises SockwakeError with nothing changed.
    """
    with inventory.held(name, root) as instance:
        settings = load(instance)
        _require_bundle(instance, settings)
        had = bundle.image_of(instance)
        image = _before(instance) if back else _newest(instance, settings, quiet=quiet)
        if image.digest == had:
            return f"{name} has the newest image of {bundle.reference_of(instance)} already"
        bundled.write(instance, bundled.Definition(instance, settings, image=image))
        where = f"{bundle.reference_of(instance)} {names.short(image.digest)}"
        undo = "" if back else f" ({scope.command('sockwake update', '--back', name)} goes back)"
        return f"{name} gets image {where} with its next wake{undo}"


def _require_bundle(instance: Instance, settings: Settings) -> None:
    if not settings.is_bundled:
        raise SockwakeError(
            f"instance '{instance.name}' is not woken by crun, and has no image of its own",
            f"sockwake runtime {instance.name} tells what wakes it",
        )
    if not bundle.image_of(instance):
        raise SockwakeError(
            f"instance '{instance.name}' has no bundle yet", "its first wake makes it"
        )


def _newest(instance: Instance, settings: Settings, *, quiet: bool) -> Image:
    return image_source.newest(instance, settings, bundle.reference_of(instance), quiet=quiet)


def _before(instance: Instance) -> Image:
    digest = bundle.image_before(instance)
    image = store.find(digest, instance.root) if digest else None
    if not image:
        raise SockwakeError(f"instance '{instance.name}' has no image to go back to")
    return image
