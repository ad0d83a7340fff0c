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
from sockwake.errors import IN_USE, SockwakeError, reason
from sockwake.oci import architecture, layout, names, needs, notes, pins, source
from sockwake.system import deletion, files, locks, process

# by packages and machine images; only written when a tree is made
_SHIPPED = "/usr/share/sockwake/images"
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
    def config_file(self) -> str:
        return f"{self.path}/config.json"

    @property
    def notes(self) -> notes.Notes:
        return notes.read(self.path)

    @property
    def size(self) -> int:
        """Its bytes; those of its files where its notes do not tell."""
        if size := self.notes.size:
            return size
        below = (os.path.join(at, name) for at, _, found in os.walk(self.rootfs) for name in found)
        return sum(os.lstat(path).st_size for path in below)

    @property
    def is_shipped(self) -> bool:
        """Whether it is where a machine never writes."""
        return self.path.rpartition("/")[0].endswith(_SHIPPED)

    def __str__(self) -> str:
        return next(iter(self.notes.names), self.digest)


def directory(root: str = "") -> str:
    """The directory of the images, in the tree root."""
    return f"{root}{scope.data()}/images"


def shipped(root: str = "") -> str:
    """The directory of those that a machine only reads, in the tree root."""
    return f"{root}{_SHIPPED}"


def archives(root: str = "") -> str:
    """The directory of the archives that an engine is to load, in the tree root."""
    return f"{directory(root)}/archives"


def find(digest: str, root: str = "") -> Image | None:
    """The image of this digest, of its configuration or an engine's ID, or None."""
    algorithm, _, name = digest.partition(":")
    if algorithm != "sha256" or not names.is_hex(name):
        return None
    for place in _places(root):
        if image := _at(f"{place}/{name}"):
            return image
    return next((each for each in images(root) if digest in each.notes.engine_ids), None)


def named(name: str, root: str = "") -> Image:
    """The image of a name, or of a digest that may be cut short; raises SockwakeError (unknown)."""
    every = images(root)
    digits = names.beginning(name)
    found = [each for each in every if any(names.same(name, known) for known in each.notes.names)]
    if digits and not found:
        found = [each for each in every if each.digest.startswith(f"sha256:{digits}")]
    if not found:
        raise names.unknown(name)
    if len(found) > 1:
        raise SockwakeError(f"'{name}' may be {' or '.join(each.digest for each in found)}")
    return found[0]


def images(root: str = "") -> list[Image]:
    """All images, in the order of their digests; raises OSError for one who may not read them."""
    found: dict[str, Image] = {}
    for place in _places(root):
        try:
            entries = os.listdir(place)
        except FileNotFoundError:
            continue
        for name in filter(names.is_hex, entries):
            if name not in found and (image := _at(f"{place}/{name}")):
                found[name] = image
    return [found[name] for name in sorted(found)]


def take(
    source_name: str,
    *,
    quiet: bool,
    root: str = "",
    name: str = "",
    called: str = "",
    ship: bool = False,
    found: source.Found | None = None,
) -> Image:
    """Have the image of a name of skopeo's, as docker-daemon:postgres:18; raises SockwakeError.

    One that is here already is not copied again, unless that cannot be known before. name: what it
    is called here, the reference of the source if not given. called: what errors call it. ship:
    into the place of the tree root that its machines only read. found: what the source has said of
    it already.
    """
    wanted = source.parse(source_name, architecture.of_tree(root) if root else "")
    called = called or name or str(wanted)
    place = shipped(root) if ship else directory(root)
    with locked(root, place):
        found = found or source.resolve(wanted, called)
        architecture.require(called, found.architecture, wanted.architecture)
        image = _known(found.engine_id, root, ship=ship)
        if not image:
            require_room(place, 2 * found.size, f"image {called}")
            image = _fetched(found.source, place, root, called, quiet=quiet)
        _note(image, root, name or wanted.reference, found.engine_id, ship=ship)
    if not root:
        architecture.warn(called, image.config_file)
    return image


def _known(digest: str, root: str, *, ship: bool) -> Image | None:
    """The image of this digest, if it is where it is to be."""
    if not ship:
        return find(digest, root)
    name = digest.removeprefix("sha256:")
    return _at(f"{shipped(root)}/{name}") if names.is_hex(name) else None


def remove(image: Image, root: str = "") -> None:
    """Remove an image; raises SockwakeError (in use) while instances need it.

    Call it under locked().
    """
    if image.is_shipped:
        raise SockwakeError(f"image {image} is in {_SHIPPED}, where sockwake removes nothing")
    with pins.unchanged(root):
        if instances := needs.needed(root).get(image.digest):
            several = "s" if len(instances) > 1 else ""
            raise SockwakeError(
                f"image {image} is needed by the instance{several} {', '.join(instances)}",
                status=IN_USE,
            )
        deletion.require_no_mount(image.path)
        gone = _put_away(image)
    deletion.tree(gone)


def take_back(image: Image) -> None:
    """Remove an image, whatever needs it, from where it is. Call it under locked()."""
    deletion.tree(_put_away(image))


def _put_away(image: Image) -> str:
    """Rename an image, which is none any more then; returns its path."""
    place = os.path.dirname(image.path)
    gone = f"{place}/{_GONE}{os.path.basename(image.path)}"
    os.rename(image.path, gone)
    files.sync(place)
    return gone


@contextmanager
def locked(root: str = "", place: str = "") -> Iterator[None]:
    """Hold the lock of the images, to add or remove one; deletes what a killed process left.

    place: the directory, if it is not the one that sockwake writes to.
    """
    place = place or directory(root)
    os.makedirs(os.path.dirname(place), 0o711, exist_ok=True)
    try:
        os.mkdir(place, 0o700)
    except FileExistsError:
        if os.stat(place).st_mode & 0o077:
            os.chmod(place, 0o700)
    with locks.Directory(place, "the lock of the images", _LONGEST_TAKE):
        for entry in os.listdir(place):
            if entry.startswith((_NEW, _GONE)):
                deletion.tree(f"{place}/{entry}", quietly=True)
            elif entry.isdecimal() or entry == "PG_VERSION":
                raise SockwakeError(
                    f"{place} is for images, and has a database cluster in it",
                    "an instance that was named so before needs another data directory (DATA=)",
                )
        yield


def require_room(place: str, size: int, what: str) -> None:
    """Raise SockwakeError unless so many bytes are free in the directory place."""
    free = files.free_room(place)
    if size and free < size + _SLACK:
        raise SockwakeError(
            f"there is no room for {what}: it takes {(size + _SLACK) >> 20} MB, "
            f"and {place} has {free >> 20} MB left"
        )


def _fetched(wanted: source.Source, place: str, root: str, name: str, *, quiet: bool) -> Image:
    """Fetch and unpack an image, whole or not at all. Call it under locked().

    place: where it is to be. name: what errors call it.
    """
    from tempfile import mkdtemp

    work = mkdtemp(prefix=_NEW, dir=place)
    try:
        source.fetch(wanted, f"{work}/fetched", name, quiet=quiet)
        fetched = layout.read(f"{work}/fetched", name)
        if image := _known(fetched.config, root, ship=place.endswith(_SHIPPED)):
            return image
        require_room(place, fetched.size, f"image {name}")
        os.mkdir(f"{work}/image", 0o755)
        notes.write(f"{work}/image", notes.Notes(size=fetched.size))
        layout.unpack(fetched, f"{work}/image/rootfs", name)
        os.rename(fetched.config_file, f"{work}/image/config.json")
        process.run(["sync", "--file-system", place], timeout=None)
        final = f"{place}/{names.hex_of(fetched.config)}"
        os.rename(f"{work}/image", final)
        files.sync(place)
    finally:
        deletion.tree(work, quietly=True)
    if not (image := _at(final)):
        raise SockwakeError(f"image {name} has no configuration")
    return image


def _note(image: Image, root: str, name: str, engine_id: str, *, ship: bool) -> None:
    """Note how an image is known, and that no other has the name any more.

    ship: also of one that is shipped, in a tree that is being made.
    """
    engine_id = "" if engine_id == image.digest else engine_id
    for each in [image, *(other for other in images(root) if other.digest != image.digest)]:
        before = each.notes
        after = before.plus(name, engine_id) if each is image else before.minus(name)
        if after != before and (ship or not each.is_shipped):
            notes.write(each.path, after)


def _places(root: str) -> tuple[str, str]:
    return directory(root), shipped(root)


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
        if isinstance(error, PermissionError):
            raise
        why = reason(error) if isinstance(error, OSError) else "it is damaged"
        raise SockwakeError(
            f"cannot read {path}/config.json: {why}", f"get the image again after rm -r {path}"
        ) from None
    return Image(f"sha256:{os.path.basename(path)}", path, config)
