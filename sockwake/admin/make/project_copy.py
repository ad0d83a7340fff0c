"""Take a copy of a project's directory, into a place where only root can write."""

from __future__ import annotations

import os
import shutil
import stat

from sockwake.errors import USAGE, SockwakeError, reason
from sockwake.system import safe_path, tree_copy

_LARGEST_COPY = 1 << 30  # bytes; what is larger is data, and not a project
_NOT_OTHERS = 0o755  # of a mode: neither writable by others nor set-user-ID


def copy(source: str, target: str) -> None:
    """Copy what is in a project's directory into another; raises SockwakeError when it cannot.

    The copies are root's, and only root can write them: that others could change the project is why
    it is copied. What belongs to neither the directory's owner nor root has been written by a
    container, and stays with its user. A link that leads out of the directory becomes a copy of the
    file it leads to; one to a directory goes on leading there. Sockets and the like are left out.
    """
    source = os.path.realpath(source)
    size = sum(
        os.lstat(os.path.join(folder, name)).st_size
        for folder, _, names in os.walk(source)
        for name in names
    )
    if size > _LARGEST_COPY:
        raise SockwakeError(
            f"{source} has {size >> 20} MB: its data would be copied, too",
            "move it where only root can write, and leave out --copy",
            USAGE,
        )
    try:
        os.makedirs(target, exist_ok=True)
        _Copy(source, os.stat(source).st_uid).fill(source, target)
        tree_copy.sync(target)
    except OSError as error:
        raise SockwakeError(
            f"cannot copy {source} to {target}", said=f"{error.filename}: {reason(error)}"
        ) from None


class _Copy:
    """source: the whole directory. owner: the user whose files become root's."""

    def __init__(self, source: str, owner: int) -> None:
        self._source = source
        self._owner = owner

    def fill(self, source: str, target: str) -> None:
        """Copy what is in one directory into another, which is there."""
        for entry in os.scandir(source):
            place = f"{target}/{entry.name}"
            if entry.is_symlink():
                self._take_link(entry.path, place)
            elif entry.is_dir():
                os.makedirs(place, exist_ok=True)
                self.fill(entry.path, place)
                self._hand_over(place, entry.stat(follow_symlinks=False))
            elif entry.is_file():
                self._take_file(entry.path, place, os.O_NOFOLLOW)

    def _take_link(self, source: str, target: str) -> None:
        real = os.path.realpath(source)
        if not safe_path.is_in(real, self._source) and os.path.isfile(real):
            self._take_file(real, target)
            return
        link = os.readlink(source)
        if safe_path.is_in(real, self._source):
            link = os.path.relpath(real, os.path.realpath(os.path.dirname(source)))
        elif not link.startswith("/"):
            link = os.path.normpath(os.path.join(os.path.dirname(source), link))
        os.symlink(link, target)

    def _take_file(self, source: str, target: str, flags: int = 0) -> None:
        with open(os.open(source, os.O_RDONLY | os.O_NONBLOCK | flags), "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                return  # it has become another since it was listed
            made = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            with open(made, "wb") as copied:
                shutil.copyfileobj(file, copied)
        self._hand_over(target, found)
        os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))

    def _hand_over(self, path: str, found: os.stat_result) -> None:
        if found.st_uid in (0, self._owner):
            os.chown(path, 0, 0)
            os.chmod(path, stat.S_IMODE(found.st_mode) & _NOT_OTHERS)
        else:
            os.chown(path, found.st_uid, found.st_gid)
            os.chmod(path, stat.S_IMODE(found.st_mode) & 0o1777)
