"""The verbs of sockwake images: the images of containers that are woken without an engine."""

from __future__ import annotations

import json
import os
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from sockwake.admin import own
from sockwake.admin.option import DEBUG, JSON, NO_HEADER, ROOT, Option
from sockwake.admin.parser import FILE, IMAGE, Verb
from sockwake.config import scope
from sockwake.errors import USAGE, SockwakeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockwake.oci.store import Image


def _ls(arguments: Namespace) -> None:
    from sockwake.admin.images import stored

    own.enter(arguments)
    listed = stored.rows(arguments.root or "")
    if arguments.json:
        print(json.dumps(listed, indent=2))
    elif listed or arguments.no_header:
        sys.stdout.write(stored.table(listed, header=not arguments.no_header))
    else:
        print(f"There are no images. {scope.command('sockwake images pull')} IMAGE gets one.")


def _pull(arguments: Namespace) -> None:
    own.enter(arguments)
    with _place(arguments) as take:
        image = take(f"docker://{arguments.image}")
        _say_taken("Pulled", image)


def _load(arguments: Namespace) -> None:
    from sockwake.oci import archive

    own.enter(arguments)
    loaded = []
    with archive.entries(arguments.file) as found, _place(arguments) as take:
        for place, name in found:
            loaded.append((take(place, name=name, called=name or arguments.file), name))
            if not arguments.root:  # a tree gets all of them, or none
                _say_taken("Loaded", *loaded.pop())
    for image, name in loaded:
        _say_taken("Loaded", image, name)


@contextmanager
def _place(arguments: Namespace) -> Iterator[Callable[..., Image]]:
    """Where images are taken to; a tree is left as it was when one of them cannot be."""
    from sockwake.oci import store

    root, ship = arguments.root or "", bool(arguments.ship)
    if ship and not root:
        raise SockwakeError("--ship is for a tree", "name it with --root", USAGE)
    take = partial(store.take, quiet=arguments.quiet, root=root, ship=ship)
    if not root:
        yield take
        return
    from sockwake.admin.make import tree

    with tree.as_it_was(root):
        yield take


def _save(arguments: Namespace) -> None:
    from sockwake.oci import archive, store

    own.enter(arguments)
    image = store.named(arguments.image, arguments.root or "")
    name = archive.name_for(image, arguments.image)
    archive.save(image, arguments.file, name)
    print(f"Saved {name or image} in {arguments.file}.")


def _rm(arguments: Namespace) -> None:
    from sockwake.admin.images import stored
    from sockwake.oci import store

    own.enter(arguments)
    root = arguments.root or ""
    store.named(arguments.image, root)
    with store.locked(root):
        image = store.named(arguments.image, root)  # the lock may have taken a while
        stored.require_nothing_in_the_making(root)
        said = f"Removed {stored.described(image)}."
        store.remove(image, root)
    print(said)


def _prune(arguments: Namespace) -> None:
    from sockwake.admin import travelled, words
    from sockwake.admin.each import try_each
    from sockwake.admin.images import stored
    from sockwake.oci import store

    own.enter(arguments)
    root = arguments.root or ""

    def remove(each: Image | str) -> None:
        if isinstance(each, str):
            size = words.size(os.stat(each).st_size)
            os.unlink(each)
            said = f"Removed the archive of {travelled.image_of(each)} ({size})."
        else:
            said = f"Removed {stored.described(each)}."
            store.remove(each, root)
        print(said, flush=True)

    if not (stored.unneeded(root) or travelled.unneeded(root)):
        print("There is no image that no instance needs.")
        return
    with store.locked(root):
        stored.require_nothing_in_the_making(root)
        found: list[Image | str] = [*stored.unneeded(root), *travelled.unneeded(root)]
        problem = try_each(found, remove)
    if problem:
        raise SockwakeError("not all of them were removed", status=problem.status)


def _say_taken(done: str, image: Image, name: str = "") -> None:
    print(f"{done} {name or image} ({image.digest}).")


_COMMON = (ROOT, Option("--user", help="of the calling user's own images"))
_QUIET = Option("--quiet", help="show no progress")
_SHIP = Option("--ship", help="into /usr/share/sockwake/images of the tree, which it only reads")

VERBS = (
    Verb(
        "images ls",
        _ls,
        "list the images and the instances that need them",
        (JSON, NO_HEADER, *_COMMON, DEBUG),
    ),
    Verb(
        "images pull",
        _pull,
        "get an image from its registry",
        (_QUIET, _SHIP, *_COMMON, DEBUG),
        operands=(IMAGE,),
    ),
    Verb(
        "images load",
        _load,
        "get the images of an archive",
        (_QUIET, _SHIP, *_COMMON, DEBUG),
        description="Get the images of an archive, of docker's kind or OCI's, without an engine.",
        operands=(FILE,),
    ),
    Verb(
        "images save",
        _save,
        "write an image into an archive",
        (*_COMMON, DEBUG),
        description="Write an image into an archive that docker and podman load, too.",
        operands=(IMAGE, FILE),
    ),
    Verb(
        "images rm",
        _rm,
        "remove an image that no instance needs",
        (*_COMMON, DEBUG),
        operands=(IMAGE,),
    ),
    Verb("images prune", _prune, "remove all images that no instance needs", (*_COMMON, DEBUG)),
)
