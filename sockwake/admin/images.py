"""sockwake images: the images of containers that are woken without an engine."""

import json
import os
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from sockwake.admin import columns, inventory, words
from sockwake.admin.option import DEBUG, JSON, NO_HEADER, ROOT, Option
from sockwake.admin.parser import FILE, IMAGE, Verb
from sockwake.config import scope
from sockwake.errors import IN_USE, USAGE, SockwakeError
from sockwake.oci import names, needs, store

_COLUMNS = ("image", "digest", "size", "instances")


def _ls(arguments: Namespace) -> None:
    enter(arguments)
    listed = rows(arguments.root or "")
    if arguments.json:
        print(json.dumps(listed, indent=2))
    elif listed or arguments.no_header:
        sys.stdout.write(table(listed, header=not arguments.no_header))
    else:
        print(f"There are no images. {scope.command('sockwake images pull')} IMAGE gets one.")


def _pull(arguments: Namespace) -> None:
    enter(arguments)
    with _place(arguments) as take:
        image = take(f"docker://{arguments.image}")
        _say_taken("Pulled", image)


def _load(arguments: Namespace) -> None:
    from sockwake.oci import archive

    enter(arguments)
    loaded = []
    with archive.entries(arguments.file) as found, _place(arguments) as take:
        for place, name in found:
            loaded.append(take(place, name=name, called=name or arguments.file))
            if not arguments.root:  # a tree gets all of them, or none
                _say_taken("Loaded", loaded.pop())
    for image in loaded:
        _say_taken("Loaded", image)


@contextmanager
def _place(arguments: Namespace) -> Iterator[Callable[..., store.Image]]:
    """Where images are taken to; a tree is left as it was when one of them cannot be."""
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
    from sockwake.oci import archive

    enter(arguments)
    image = store.named(arguments.image, arguments.root or "")
    archive.save(image, arguments.file)
    print(f"Saved {image} in {arguments.file}.")


def _rm(arguments: Namespace) -> None:
    enter(arguments)
    root = arguments.root or ""
    store.named(arguments.image, root)
    with store.locked(root):
        image = store.named(arguments.image, root)  # the lock may have taken a while
        _require_nothing_in_the_making(root)
        said = f"Removed {_described(image)}."
        store.remove(image, root)
    print(said)


def _prune(arguments: Namespace) -> None:
    from sockwake.admin import travelled

    enter(arguments)
    root = arguments.root or ""
    if not (_unneeded(root) or travelled.unneeded(root)):
        print("There is no image that no instance needs.")
        return
    with store.locked(root):
        _require_nothing_in_the_making(root)
        for image in _unneeded(root):
            said = f"Removed {_described(image)}."
            store.remove(image, root)
            print(said, flush=True)
        for path in travelled.unneeded(root):
            size = words.size(os.stat(path).st_size)
            os.unlink(path)
            print(f"Removed the archive of {travelled.image_of(path)} ({size}).", flush=True)


def _unneeded(root: str) -> list[store.Image]:
    needed = needs.needed(root)
    return [
        image for image in store.images(root) if image.digest not in needed and not image.is_shipped
    ]


def rows(root: str = "") -> list[dict[str, object]]:
    """One row for each image; size in bytes, "shipped" for one that is never removed."""
    needed = needs.needed(root)
    return [
        {
            "image": next(iter(image.notes.names), ""),
            "names": list(image.notes.names),
            "digest": image.digest,
            "size": image.size,
            "instances": needed.get(image.digest, []),
            "shipped": image.is_shipped,
        }
        for image in store.images(root)
    ]


def table(listed: list[dict[str, object]], *, header: bool) -> str:
    """The rows as text, in columns."""
    lines = [tuple(name.upper() for name in _COLUMNS)] if header else []
    lines += [tuple(_cell(column, row[column]) for column in _COLUMNS) for row in listed]
    return "".join(f"{line}\n" for line in columns.aligned(lines))


def enter(arguments: Namespace) -> None:
    """Enter the user namespace that owns the files of a user's own images and containers."""
    if arguments.user:
        from sockwake.engine import rootless

        rootless.enter()


def _cell(column: str, value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "-"
    if isinstance(value, int):
        return words.size(value)
    text = str(value)
    return text.removeprefix("sha256:")[: names.SHORTEST] if column == "digest" else text or "-"


def _described(image: store.Image) -> str:
    return f"{image} ({words.size(image.size)})"


def _say_taken(done: str, image: store.Image) -> None:
    print(f"{done} {image} ({image.digest}).")


def _require_nothing_in_the_making(root: str) -> None:
    """Raise SockwakeError (in use) while an instance is being made, which may need any image."""
    for draft in inventory.unfinished(root):
        if not inventory.is_abandoned(draft):
            raise SockwakeError(
                f"instance '{draft.name}' is being made, and may need the image",
                "try again when it is there",
                IN_USE,
            )


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
