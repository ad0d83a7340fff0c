"""The images on this host: each one's file system once, read-only, for all its instances.

An image is a directory named by the digest of its configuration, which is what Docker and podman
call its ID: rootfs, config.json (as it was made, byte for byte) and notes.json (under which names,
and as which IDs of engines, it is known here). It appears by a rename when all of it is on the
disk. The directory is root's alone: an image has programs with setuid bits, and old ones.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sockwake.config import scope
from sockwake.errors import SockwakeError, reason
from sockwake.oci import layout, notes, source
from sockwake.system import deletion, files, locks, process

_SHIPPED = "/usr/share/sockwake/images"  # by packages and machine images; never written
_NEW, _GONE = ".new-", ".gone-"
_LONGEST_TAKE = 3600  # seconds that another process may take to get an image
_SLACK = 16 << 20  # bytes beside the layers: the files' names, the journal of the file system


@dataclass(frozen=True)
class Image:
    """One image. digest: "sha256:…". config: the object "config" of its configuration."""

    digest: str
    path: str
    config: dict[str, Any]

    @property
    def rootfs(self) -> str:
        return f"{self.path}/rootfs"

    @property
    def notes(self) -> notes.Notes:
        return notes.read(self.path)


def directory(root: str = "") -> str:
    """The directory of the images, in the tree root."""
    return f"{root}{scope.data()}/images"


def find(digest: str, root: str = "") -> Image | None:
    """The image of this digest, of its configuration or an engine's ID, or None."""
    algorithm, _, name = digest.partition(":")
    if algorithm != "sha256" or not _is_name(name):
        return None
    for place in _places(root):
        if image := _at(f"{place}/{name}"):
            return image
    return next((each for each in images(root) if digest in each.notes.engine_ids), None)


def images(root: str = "") -> list[Image]:
    """All images, in the order of their digests; raises OSError for one who may not read them."""
    found: dict[str, Image] = {}
    for place in _places(root):
        try:
            names = os.listdir(place)
        except FileNotFoundError:
            continue
        for name in filter(_is_name, names):
            if name not in found and (image := _at(f"{place}/{name}")):
                found[name] = image
    return [found[name] for name in sorted(found)]


def take(source_name: str, *, quiet: bool, root: str = "", name: str = "") -> Image:
    """Have the image of a name of skopeo's, as docker-daemon:postgres:18; raises SockwakeError.

    One that is here already is not copied again, unless that cannot be known before. name: what it
    is called here, the reference of the source if not given.
    """
    named = source.parse(source_name)
    with locked(root):
        wanted, engine_id, size = source.resolve(named)
        image = find(engine_id, root)
        if not image:
            _require_room(directory(root), 2 * size, named)
            image = _fetched(wanted, root, named, quiet=quiet)
        _note(image, root, name or named.reference, engine_id)
    return image


@contextmanager
def locked(root: str = "") -> Iterator[None]:
    """Hold the lock of the images, to add or remove one; deletes what a killed process left."""
    place = directory(root)
    os.makedirs(os.path.dirname(place), 0o711, exist_ok=True)
    try:
        os.mkdir(place, 0o700)
    except FileExistsError:
        pass
    lock = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        locks.take(lock, "the lock of the images", _LONGEST_TAKE)
        _sweep(place)
        yield
    finally:
        os.close(lock)


def _sweep(place: str) -> None:
    for name in os.listdir(place):
        if name.startswith((_NEW, _GONE)):
            deletion.tree(f"{place}/{name}", quietly=True)


def _fetched(wanted: source.Source, root: str, name: source.Source, *, quiet: bool) -> Image:
    """Fetch and unpack an image, whole or not at all. Call it under locked().

    name: what errors call it.
    """
    from tempfile import mkdtemp

    place = directory(root)
    work = mkdtemp(prefix=_NEW, dir=place)
    try:
        source.fetch(wanted, f"{work}/fetched", name, quiet=quiet)
        fetched = layout.read(f"{work}/fetched")
        if image := find(fetched.config, root):
            return image
        _require_room(place, fetched.size, name)
        os.mkdir(f"{work}/image")
        layout.unpack(fetched, f"{work}/image/rootfs", name)
        os.rename(fetched.config_file, f"{work}/image/config.json")
        process.run(["sync", "--file-system", place], timeout=None)
        final = f"{place}/{fetched.config.partition(':')[2]}"
        os.rename(f"{work}/image", final)
        files.sync(place)
    finally:
        deletion.tree(work, quietly=True)
    if not (image := _at(final)):
        raise SockwakeError(f"image {name} has no configuration")
    return image


def _require_room(place: str, size: int, name: object) -> None:
    """Raise SockwakeError unless so many bytes are free for the image of that name."""
    at = os.statvfs(place)
    free = at.f_bavail * at.f_frsize
    if size and free < size + _SLACK:
        raise SockwakeError(
            f"there is no room for image {name}: it takes {(size + _SLACK) >> 20} MB, "
            f"and {place} has {free >> 20} MB left"
        )


def _note(image: Image, root: str, name: str, engine_id: str) -> None:
    """Note how an image is known, and that no other has the name any more."""
    engine_id = "" if engine_id == image.digest else engine_id
    for other in images(root):
        if other.path.startswith(f"{directory(root)}/"):
            noted = other.notes
            wanted = (
                noted.plus(name, engine_id) if other.digest == image.digest else noted.minus(name)
            )
            if wanted != noted:
                notes.write(other.path, wanted)


def _places(root: str) -> tuple[str, str]:
    return directory(root), f"{root}{_SHIPPED}"


def _is_name(name: str) -> bool:
    return len(name) == 64 and not name.strip("0123456789abcdef")


def _at(path: str) -> Image | None:
    """The image in a directory; raises SockwakeError when its configuration cannot be read."""
    try:
        with open(f"{path}/config.json", encoding="utf-8") as file:
            config = json.load(file)["config"]
        if not isinstance(config, dict):
            raise ValueError
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        why = reason(error) if isinstance(error, OSError) else "it is damaged"
        raise SockwakeError(f"cannot read {path}/config.json: {why}") from None
    return Image(f"sha256:{os.path.basename(path)}", path, config)
