"""A directory that is there whole or not at all: it is filled beside its place, and renamed."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from sockwake.errors import EXISTS, IN_USE, SockwakeError
from sockwake.system import deletion, files

MARK = ".sockwake-export"  # the proof that we have made a directory that is not whole


@contextmanager
def made_whole(path: str) -> Iterator[str]:
    """Within the with statement the directory is filled that the caller is given.

    At its end it is at path, for root alone; after an error, or when this process is killed,
    nothing is: what is left beside it then, the next call removes. Raises SockwakeError (exists)
    unless path is free, or an empty directory.
    """
    require_free(path)
    parent, name = os.path.split(path)
    begun = f"{parent}/.{name}.begun"
    lock = _begin(begun)
    try:
        yield begun
        _sync(begun)
        try:
            os.rename(begun, path)
        except OSError as error:
            raise SockwakeError(
                f"{path} is there by now, with something in it", status=EXISTS
            ) from error
        files.remove(f"{path}/{MARK}")
        files.sync(parent)
    except BaseException:
        deletion.tree(begun, quietly=True)
        raise
    finally:
        os.close(lock)


def require_free(path: str) -> None:
    """Raise SockwakeError unless a directory can be made at an absolute path."""
    parent = os.path.dirname(path)
    if not os.path.isdir(parent):
        raise SockwakeError(f"there is no directory {parent}", "make it first, or choose another")
    if os.path.islink(path) or (os.path.lexists(path) and not os.path.isdir(path)):
        raise SockwakeError(f"{path} is there, and is no directory", status=EXISTS)
    files.remove(f"{path}/{MARK}")  # of one that was killed when all was done
    if os.path.isdir(path) and os.listdir(path):
        raise SockwakeError(
            f"directory {path} is not empty", "name another, or move it away", EXISTS
        )


def _begin(begun: str) -> int:
    """Make the directory, locked; what a call that was killed has left is removed first."""
    if os.path.lexists(begun):
        _remove_left(begun)
    os.mkdir(begun, 0o700)
    try:
        lock = os.open(begun, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(lock, fcntl.LOCK_EX)
        files.write_new(f"{begun}/{MARK}", 0o600, "not whole yet\n")
    except BaseException:
        deletion.tree(begun, quietly=True)
        raise
    return lock


def _remove_left(begun: str) -> None:
    if os.path.islink(begun) or not os.path.isdir(begun):
        raise SockwakeError(f"{begun} is in the way", "move it away", EXISTS)
    lock = os.open(begun, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SockwakeError(
                f"another export writes {begun}", "wait until it has ended", IN_USE
            ) from None
        if os.listdir(begun) and not os.path.lexists(f"{begun}/{MARK}"):
            raise SockwakeError(
                f"{begun} is in the way, and no export has left it", "move it away", EXISTS
            )
        deletion.tree(begun)
    finally:
        os.close(lock)


def _sync(directory: str) -> None:
    for name in os.listdir(directory):
        files.sync_file(f"{directory}/{name}")
    files.sync(directory)
