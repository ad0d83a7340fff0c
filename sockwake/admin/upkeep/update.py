"""sockwake update: give instances the newest image of their name, or the one before again.

For instances that crun wakes: each has the image that its bundle names, whatever the name leads to
by now. One that sleeps is woken once, and has its image of before again when it does not answer. A
server that runs goes on, and the next wake runs the new image.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sockwake.admin import inventory
from sockwake.admin.make import trial
from sockwake.admin.operands import named_or_all
from sockwake.config import forwarding, scope
from sockwake.config.instance import Instance, Name
from sockwake.config.settings import Settings, load, load_if_valid
from sockwake.errors import SockwakeError
from sockwake.lifecycle import bundled, drain, image_source, runtime
from sockwake.oci import bundle, names, store
from sockwake.oci.store import Image
from sockwake.system import systemctl


def operands(words: Sequence[str], *, all_of_them: bool, root: str) -> list[Name]:
    """The instances that are named, or all that crun wakes; raises SockwakeError (usage)."""

    def has_bundle(instance: Instance) -> bool:
        settings = load_if_valid(instance)
        return bool(settings and settings.is_bundled)

    example = scope.command("sockwake update", "--all")
    return named_or_all(words, root, all_of_them=all_of_them, example=example, fits=has_bundle)


@dataclass(frozen=True)
class Outcome:
    """What was done to one. state: "same", "next wake" or "proven". said: a sentence."""

    name: str
    image: str
    digest: str
    before: str
    state: str
    said: str


def update(name: Name, *, back: bool, wake: bool, root: str, quiet: bool) -> Outcome:
    """Give an instance the newest image, or with back the one before; returns what was done.

    wake: whether one that sleeps is woken once, which proves it. Raises SockwakeError with nothing
    changed, also when it does not answer with the image.
    """
    with inventory.held(name, root) as instance:
        settings = load(instance)
        _require_bundle(instance, settings)
        had = bundle.image_of(instance)
        reference, is_newest = bundle.reference_of(instance), True
        if back:
            image = _before(instance)
        else:
            image, is_newest = image_source.newest(instance, settings, reference, quiet=quiet)
        where = f"{reference} {names.short(image.digest)}"
        sleeps = wake and _sleeps(instance)

        def done(state: str, said: str) -> Outcome:
            return Outcome(name, reference, image.digest, had, state, said)

        if image.digest == had and not (sleeps and bundle.is_unproven(instance)):
            here = "" if is_newest else " on this machine"
            return done("same", f"{name} has the newest image of {reference}{here} already")
        last, before = had, bundle.image_before(instance)
        if image.digest == had:  # by one that was killed before it had proven it
            last, before = before, ""
        else:
            definition = bundled.Definition(instance, settings, image=image)
            bundled.write(instance, definition, more={bundle.UNPROVEN: ""})
        way = scope.command("sockwake update", "--back", name)
        undo = "" if back else f" ({way} goes back)"
        if not sleeps:
            return done("next wake", f"{name} gets image {where} with its next wake{undo}")
        _prove(instance, settings, where, last=last, before=before)
        return done("proven", f"{name} has image {where}, and answers with it{undo}")


def _sleeps(instance: Instance) -> bool:
    """Whether it can be woken and stopped again without a client's noticing."""
    if instance.root or forwarding.is_there(instance):
        return False
    return systemctl.is_running() and drain.is_down(instance)


def _prove(instance: Instance, settings: Settings, where: str, *, last: str, before: str) -> None:
    """Wake it once; give it its image of before when it does not answer, and raise SockwakeError.

    last: the digest of that. before: of the one before that.
    """
    inventory.say(f"waking '{instance.name}' with its new image")
    try:
        trial.try_out(instance, settings)
    except SockwakeError as error:
        if not (image := store.find(last, instance.root)):
            raise
        bundled.write(instance, bundled.Definition(instance, settings, image=image))
        bundle.note_before(instance, before)
        systemctl.reset(instance.backend_unit, instance.proxy_unit)
        runtime.forget_failure(instance)
        raise SockwakeError(
            f"instance '{instance.name}' does not answer with image {where}, and has "
            f"{names.short(last)} again",
            error.hint,
            said=error.whole,
        ) from None
    bundle.forget_unproven(instance)


def _require_bundle(instance: Instance, settings: Settings) -> None:
    if not settings.is_bundled:
        raise SockwakeError(
            f"instance '{instance.name}' is not woken by crun, and has no image of its own",
            f"{scope.command('sockwake runtime', instance.name)} tells what wakes it",
        )
    if not bundle.image_of(instance):
        raise SockwakeError(
            f"instance '{instance.name}' has no bundle yet", "its first wake makes it"
        )


def _before(instance: Instance) -> Image:
    digest = bundle.image_before(instance)
    image = store.find(digest, instance.root) if digest else None
    if not image:
        raise SockwakeError(f"instance '{instance.name}' has no image to go back to")
    return image
