"""What a container of crun's writes beside its mounts: its root, and the volumes of its image.

Both are beside its bundle, in directories that are root's alone, as programs with setuid bits may
be in them:

- NAME.layers/ID has upper and work of one container, which the kernel's overlay lays over the
  image, and root, where bin/container mounts that. It is made with the bundle, so that an edit and
  an update begin with a new one, as compose begins with a new container. While the container runs
  it is locked.
- NAME.volumes/PATH has what the image keeps at a path (VOLUME) where nothing is mounted. It
  outlives edits and updates, as compose hands on such a volume from container to container.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterable

from sockwake.config.instance import Instance
from sockwake.errors import SockwakeError
from sockwake.oci import needs, rootfs
from sockwake.system import deletion, files, process

_PARTS = ("upper", "work", "root")
_TRIAL = ".trial-"  # no Name has a "." in it
_STAGED = ".new"  # no path begins with it once its "/" are quoted


def new(instance: Instance, image: str) -> str:
    """Make an empty layer over the image's file system; returns its path."""
    top = _layers(instance)
    _make_private(top)
    path = f"{top}/{os.urandom(6).hex()}"
    os.mkdir(path, 0o700)
    like = os.stat(image)
    for name in _PARTS:
        os.mkdir(f"{path}/{name}")
    os.chown(f"{path}/upper", like.st_uid, like.st_gid)
    os.chmod(f"{path}/upper", stat.S_IMODE(like.st_mode))  # which is that of / in the container
    files.sync(path)
    files.sync(top)
    return path


def is_whole(path: str) -> bool:
    """Whether nothing of a layer is missing; bin/container decides alike."""
    return all(os.path.isdir(f"{path}/{name}") for name in _PARTS)


def forget_unused(instance: Instance, used: str) -> None:
    """Delete all layers but the one that is used and those of containers that run."""
    for name in _entries(_layers(instance)):
        path = f"{_layers(instance)}/{name}"
        if not os.path.isdir(path):
            files.remove(path)  # flock(1) makes a file where a layer has just gone
        elif path != used and not _is_locked(path):
            deletion.tree(path, quietly=True)


def remove(instance: Instance) -> None:
    """Delete all that an instance's containers have written beside their mounts."""
    for path in paths(instance):
        deletion.tree(path, quietly=True)


def paths(instance: Instance) -> tuple[str, str]:
    """Where the layers of an instance are, and what its image keeps."""
    return _layers(instance), _volumes(instance)


def hand_on(old: Instance, instance: Instance) -> None:
    """Give what an image keeps to the instance of another name; its layers end with the old one."""
    if os.path.lexists(_volumes(old)):
        os.rename(_volumes(old), _volumes(instance))
        files.sync(os.path.dirname(_volumes(old)))
    deletion.tree(_layers(old), quietly=True)


def volumes(instance: Instance, image: str, paths: Iterable[str]) -> list[tuple[str, str]]:
    """(directory of the host, path in the container) for paths at which an image keeps data.

    image: its file system. A directory that is new begins with what the image has there.
    """
    made = []
    for path in paths:
        _make_private(_volumes(instance))
        place = f"{_volumes(instance)}/{_quoted(path)}"
        if not os.path.lexists(place):
            _fill(f"{image}{rootfs.resolved(image, path)}", place)
        made.append((place, path))
    return made


def has_volumes(instance: Instance) -> list[str]:
    """The directories of such data that an instance has."""
    top = _volumes(instance)
    return [f"{top}/{name}" for name in _entries(top) if not name.startswith(_STAGED)]


def make_volumes(instance: Instance) -> str:
    """Make the directory of what an image keeps, empty; returns it."""
    deletion.tree(_volumes(instance), quietly=True)
    _make_private(_volumes(instance))
    return _volumes(instance)


def why_none(root: str = "") -> str:
    """Why no layer can be where they are; "" when it can, or this process may not try."""
    if root or os.geteuid():
        return ""
    from tempfile import mkdtemp

    top = needs.directory()
    os.makedirs(top, 0o711, exist_ok=True)
    place = mkdtemp(prefix=_TRIAL, dir=top)
    try:
        for name in ("lower", *_PARTS):
            os.mkdir(f"{place}/{name}")
        process.run(["unshare", "--mount", *_mounting(place)])
    except process.ProgramError as error:
        return f"the file system of {top} can hold no writable root ({error.said})"
    finally:
        deletion.tree(place, quietly=True)
        try:
            os.rmdir(top)
        except OSError:
            pass  # it has bundles
    return ""


def _mounting(place: str) -> list[str]:
    """The command that mounts an overlay as bin/container does."""
    options = f"lowerdir={place}/lower,upperdir={place}/upper,workdir={place}/work,index=off"
    return ["mount", "-t", "overlay", "-o", options, "sockwake", f"{place}/root"]


def _fill(source: str, place: str) -> None:
    """Make a volume, whole or not at all, with a copy of what the image has there."""
    staged = f"{os.path.dirname(place)}/{_STAGED}"
    deletion.tree(staged, quietly=True)
    if os.path.isdir(source):
        process.run(["cp", "--archive", "--reflink=auto", source, staged], timeout=None)
    elif os.path.lexists(source):
        raise SockwakeError(f"the image's volume {source} is no directory")
    else:
        os.mkdir(staged, 0o755)
    process.run(["sync", "--file-system", staged], timeout=None)
    os.rename(staged, place)
    files.sync(os.path.dirname(place))


def _make_private(path: str) -> None:
    os.makedirs(os.path.dirname(path), 0o711, exist_ok=True)
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        pass


def _is_locked(path: str) -> bool:
    lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def _entries(path: str) -> list[str]:
    try:
        return sorted(os.listdir(path))
    except FileNotFoundError:
        return []


def _quoted(path: str) -> str:
    """A path of the container as one name."""
    return os.path.normpath(path).strip("/").replace("%", "%25").replace("/", "%2F")


def _layers(instance: Instance) -> str:
    return f"{needs.directory(instance.root)}/{instance.name}.layers"


def _volumes(instance: Instance) -> str:
    return f"{needs.directory(instance.root)}/{instance.name}.volumes"
