"""The system tree that instances are baked into: what it must have, and how it is left."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sockwake.admin import inventory, preset
from sockwake.config import scope
from sockwake.errors import USAGE, SockwakeError
from sockwake.oci import needs, notes, store
from sockwake.system import files

_UNIT = "/usr/lib/systemd/system/pg-postgres@.service"
_WANTS = tuple(f"/etc/systemd/system/{name}.target.wants" for name in ("sockets", "sockwake"))
_EPOCH = "SOURCE_DATE_EPOCH"  # https://reproducible-builds.org/specs/source-date-epoch
_ALL_USERS = 65536  # of a user namespace in which an image's files can have their owners


def require_installed(root: str) -> None:
    """Raise SockwakeError (usage) unless the tree is a system with the package in it."""
    if not os.path.exists(f"{root}{_UNIT}"):
        raise SockwakeError(
            f"there is no system with sockwake in {root}: it has no {_UNIT}",
            "install the package into it first",
            USAGE,
        )


def require_owners() -> None:
    """Raise SockwakeError unless this process can give files to any user, as an image wants it."""
    if os.geteuid():
        raise SockwakeError(
            "only root can unpack an image, whose files have many owners",
            "run this as root, or in a user namespace: unshare --map-auto --map-root-user",
        )
    if any(line.startswith("Uid:") and "0" not in line.split()[1:2] for line in _own_status()):
        raise SockwakeError(
            "an image cannot be unpacked in fakeroot, which its programs do not heed",
            "run this as root, or in a user namespace: unshare --map-auto --map-root-user",
        )
    users = sum(int(line.split()[2]) for line in files.text_of("/proc/self/uid_map").splitlines())
    if users < _ALL_USERS:
        raise SockwakeError(
            f"this user namespace has {users} users, and the files of images have more",
            "unshare --map-auto --map-root-user gives it all that /etc/subuid has",
        )


def _own_status() -> list[str]:
    return files.text_of("/proc/self/status").splitlines()


def epoch() -> int:
    """The time of SOURCE_DATE_EPOCH, -1 when it is not set; raises SockwakeError (usage)."""
    said = scope.CALLER.get(_EPOCH, "")
    if said and not (said.isascii() and said.isdigit()):
        raise SockwakeError(f"{_EPOCH} is '{said}', and no number of seconds", status=USAGE)
    return int(said or -1)


@contextmanager
def as_it_was(root: str, *copied: str) -> Iterator[None]:
    """Leave the tree as it was when anything fails: its images, directories and their times.

    copied: directories of it that are made as copies of others. What was done ends with the times
    that SOURCE_DATE_EPOCH asks for. The files of an instance are undone by what makes them.
    """
    epoch()
    times = {path: os.stat(path).st_mtime_ns for path in _places(root) if os.path.isdir(path)}
    images = {image.path: image.notes for image in store.images(root)}
    listed = files.text_of(preset.path(root))
    try:
        yield
    except BaseException:
        _take_back_images(root, images)
        preset.restore(root, listed)
        for path in reversed(_places(root)):
            if path not in times:
                with suppress(OSError):  # another has put something there meanwhile
                    os.rmdir(path)
        _restore(times)
        raise
    _stamp(root, copied)


def _places(root: str) -> list[str]:
    """The directories that may be made in the tree, each behind those it is in."""
    ends = (scope.etc(), *_WANTS, os.path.dirname(preset.path()), store.archives())
    ends += (store.shipped(),)
    found: dict[str, None] = {}
    for end in ends:
        parts = end.strip("/").split("/")
        for count in range(len(parts) + 1):
            found["/".join([root, *parts[:count]])] = None
    return list(found)


def _take_back_images(root: str, before: dict[str, notes.Notes]) -> None:
    """Remove the images that were not there before, and give the others their names again."""
    with suppress(SockwakeError, OSError):
        for image in store.images(root):
            if before.get(image.path) != image.notes:
                with store.locked(root, os.path.dirname(image.path)):
                    _take_back(image, before.get(image.path), root)


def _take_back(image: store.Image, before: notes.Notes | None, root: str) -> None:
    is_shared = any(not inventory.is_abandoned(each) for each in inventory.unfinished(root))
    if before:
        notes.write(image.path, before)
    elif not is_shared and image.digest not in needs.needed(root, by_name=False):
        store.take_back(image)


def _restore(times: dict[str, int]) -> None:
    for path, when in times.items():
        with suppress(OSError):
            os.utime(path, ns=(os.stat(path).st_atime_ns, when))


def _stamp(root: str, copied: tuple[str, ...]) -> None:
    """Give what is newer than SOURCE_DATE_EPOCH, if that is set, its time."""
    latest = epoch()
    if latest < 0:
        return
    for place in (scope.etc(), store.directory(), store.shipped(), *copied):
        for folder, folders, names in os.walk(root + place):
            # of a link to a directory of this system, too, which os.walk calls a directory
            for path in (*(f"{folder}/{name}" for name in (*folders, *names)), folder):
                _stamp_one(path, latest)
    for place in _WANTS:
        with suppress(FileNotFoundError):
            for entry in os.scandir(root + place):
                _stamp_one(entry.path, latest)
    for path in (preset.path(root), *reversed(_places(root))):
        _stamp_one(path, latest)


def _stamp_one(path: str, latest: int) -> None:
    with suppress(FileNotFoundError):
        if os.lstat(path).st_mtime > latest:
            os.utime(path, (latest, latest), follow_symlinks=False)
