"""sockwake-new --root: what else a first wake would have to get is got when the tree is built.

The image comes into the tree, and what compose makes of the instance's files is settled: a machine
that boots from the tree needs neither a registry nor an engine nor compose for its first wake.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sockwake.admin.make import new, travelling, tree
from sockwake.admin.make.request import Request
from sockwake.config import resolved
from sockwake.config.instance import Instance
from sockwake.config.settings import Settings
from sockwake.engine import compose
from sockwake.engine.api import Engine
from sockwake.errors import USAGE, SockwakeError
from sockwake.kinds.table import CRUN
from sockwake.oci import architecture, archive, names, source, store
from sockwake.system import files

_SETTLED = "what {} means is settled here"  # which takes compose


def make(request: Request, *, enable: bool, quiet: bool, debug: bool) -> tuple[Instance, Settings]:
    """Make the instance in a tree, whole or not at all; returns it and its settings."""
    require_possible(request)
    by_crun = is_bundled(request)
    copied = [request.data_directory] if request.copy_from else []
    with tree.as_it_was(request.root, *copied), offered(request) as found:
        image = _image(request, found, quiet=quiet) if by_crun else None

        def bake(begun: Instance, settings: Settings) -> None:
            if image:
                _settle(begun, settings, image)

        with travelling.put(request.root, {} if by_crun else found):
            return new.make(
                request, provision=False, enable=enable, quiet=quiet, debug=debug, bake=bake
            )


def is_bundled(request: Request) -> bool:
    """Whether crun wakes it, of an image in the tree."""
    return request.runtime == CRUN and bool(request.image)


def require_possible(request: Request) -> None:
    """Raise SockwakeError when the tree cannot take an image, before it is looked at."""
    tree.epoch()
    if not request.archive:
        return
    tree.require_installed(request.root)
    tree.require_owners()
    if request.runtime == CRUN:
        compose.require_program(_SETTLED.format(request.definition_file))


@contextmanager
def offered(request: Request) -> Iterator[dict[str, source.Found]]:
    """The images of the archive that are the instance's, by name; none without an archive.

    Raises SockwakeError unless the archive has them, and the tree's machines can run them.
    """
    if not request.archive:
        yield {}
        return
    machine = architecture.of_tree(request.root)
    with archive.entries(request.archive) as entries:
        found = {}
        for name in request.images or [request.image]:
            place = _chosen(entries, name, request)
            inspected = source.resolve(source.parse(place, machine), name)
            architecture.require(name, inspected.architecture, machine)
            found[name] = inspected
        yield found


def _chosen(entries: list[archive.Entry], name: str, request: Request) -> str:
    """The place of the image of a name; the only one of an archive may be without a name."""
    for each in entries:
        if each.name and names.same(each.name, name):
            return each.place
    if len(entries) == 1 and not entries[0].name and len(request.images) < 2:
        return entries[0].place
    listed = [each.name or "one without a name" for each in entries]
    named = next((each.name for each in entries if each.name), "")
    raise SockwakeError(
        f"{request.archive} has no image {name}, but {', '.join(listed)}",
        f"--image {named}" if named and not request.images else "",
        USAGE,
    )


def _image(request: Request, found: dict[str, source.Found], *, quiet: bool) -> store.Image | None:
    """The image that the instance is to have: of the archive, or that is in the tree already."""
    if found:
        offer = found[request.image]
        return store.take(
            offer.source.skopeos, quiet=quiet, root=request.root, name=request.image, found=offer
        )
    return stored(request)


def stored(request: Request) -> store.Image | None:
    """The image of this name that is in the tree, or None."""
    every = store.images(request.root)
    known = [each for each in every if _is_called(each, request.image)]
    return next((each for each in known if not each.is_shipped), next(iter(known), None))


def _is_called(image: store.Image, name: str) -> bool:
    return any(names.same(name, each) for each in image.notes.names)


def _settle(begun: Instance, settings: Settings, image: store.Image) -> None:
    """Write what compose makes of the files beside them, and what its image asks for into them."""
    from sockwake.lifecycle import bundled, provision

    compose.require_program(_SETTLED.format(begun.compose_file))
    definition = bundled.Definition(begun, settings, image=image)
    if settings.has_cluster and provision.heed(begun, image.config, definition.variables()):
        definition = bundled.Definition(begun, settings, image=image)
    bundled.write_unit(begun, definition.unit())
    config = compose.Project(begun, settings, Engine.of(settings)).resolve()
    _write_plainly(begun, config)
    text = resolved.text_for(begun, config, settings.image, image.digest)
    files.write_new(begun.resolved_file, 0o644, text)


def _write_plainly(begun: Instance, config: dict[str, object]) -> None:
    """Have the file "environment" say what compose has read of it as sockwake reads it, too."""
    services = config["services"]
    assert isinstance(services, dict)
    (service,) = services.values()
    told = {
        name: str(value or "").replace("$$", "$")
        for name, value in (service.get("environment") or {}).items()
    }
    if told and resolved.environment_of(begun) != told:
        text = "".join(resolved.line_of(name, value) for name, value in told.items())
        files.replace(begun.variables_file, 0o600, text)
