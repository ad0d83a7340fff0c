"""Delete a directory and its contents, but never what is mounted there.

A bind mount shows another place of the same file system, so that the device number does not tell
it. The kernel's mount id does (proc_pid_fdinfo(5)).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sockwake.errors import IN_USE, SockwakeError

_FILE_SYSTEMS_OWN = "lost+found"
# proc_pid_mountinfo(5)
_ESCAPES = ((r"\040", " "), (r"\011", "\t"), (r"\012", "\n"), (r"\134", "\\"))


def is_mount(path: str) -> bool:
    """Whether path is a mount point. Sees bind mounts, which os.path.ismount() does not."""
    return os.path.realpath(path) in _mounts()


def require_no_mount(path: str, *, below: bool = False) -> None:
    """Raise SockwakeError (in use) for a mount on path or below it; with below, only below it."""
    real = os.path.realpath(path).rstrip("/")
    if mounts := [
        place
        for place in _mounts()
        if place.startswith(f"{real}/") or (place == real and not below)
    ]:
        raise SockwakeError(
            f"cannot delete {path}: {mounts[0]} is a mount, and what is in it is not {path}'s",
            f"umount {mounts[0]}",
            IN_USE,
        )


def tree(path: str, *, quietly: bool = False) -> None:
    """Delete the directory path, following no link; raises SockwakeError (a mount) and OSError.

    quietly: delete what can be deleted, without an error for the rest or for a missing directory.
    """
    with _errors_of(quietly):
        if quietly and is_mount(path):
            return
        if not quietly:
            require_no_mount(path)
        _delete_inside(path, quietly)
        os.rmdir(path)


def contents(path: str) -> None:
    """Delete all in a directory, but not the directory itself: it may be a mount point.

    lost+found, which belongs to the file system, stays. Raises as tree() does.
    """
    require_no_mount(path, below=True)
    _delete_inside(path, kept=_FILE_SYSTEMS_OWN)


def _delete_inside(path: str, quietly: bool = False, kept: str = "") -> None:
    top = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        _empty(top, path, _mount_of(top), quietly, kept)
    finally:
        os.close(top)


def entries(path: str) -> list[os.DirEntry[str]]:
    """The entries of a directory without lost+found; raises OSError."""
    with os.scandir(path) as found:
        return [entry for entry in found if entry.name != _FILE_SYSTEMS_OWN]


def _empty(directory: int, path: str, mount: str, quietly: bool, kept: str = "") -> None:
    with os.scandir(directory) as found:
        inside = [
            (entry.name, entry.is_dir(follow_symlinks=False))
            for entry in found
            if entry.name != kept
        ]
    for name, is_directory in inside:
        with _errors_of(quietly):
            if not is_directory:
                os.unlink(name, dir_fd=directory)
                continue
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            inner = os.open(name, flags, dir_fd=directory)
            try:
                if _mount_of(inner) != mount:  # mounted since require_no_mount()
                    raise SockwakeError(
                        f"cannot delete {path}: {path}/{name} is a mount", status=IN_USE
                    )
                _empty(inner, f"{path}/{name}", mount, quietly)
            finally:
                os.close(inner)
            os.rmdir(name, dir_fd=directory)


@contextmanager
def _errors_of(quietly: bool) -> Iterator[None]:
    with suppress(*((OSError, SockwakeError) if quietly else ())):
        yield


def _mount_of(directory: int) -> str:
    """The mount id of an open directory."""
    with open(f"/proc/self/fdinfo/{directory}", encoding="ascii", errors="replace") as file:
        return next((line.split()[1] for line in file if line.startswith("mnt_id:")), "")


def _mounts() -> list[str]:
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        places = [line.split(" ")[4] for line in file]
    for escape, character in _ESCAPES:
        places = [place.replace(escape, character) for place in places]
    return places
