"""A system tree that is looked into; nothing in it is executed.

A link leads where it will lead the machine that is booted from the tree, never out of the tree.
What may not be looked at raises PermissionError: nothing is told of it, nor that it is not there.
"""

import os
import stat

from sockwake.errors import SockwakeError
from sockwake.oci import rootfs
from sockwake.system import files

_MOST = 1 << 20  # characters of a file


class Tree:
    """A tree. root: its path, "" for this machine's own. All other paths are those in the tree."""

    def __init__(self, root: str) -> None:
        self.root = root

    def place(self, path: str) -> str:
        """Where a path of the tree is here, without a link in it; the end of it may be missing.

        Raises OSError for links that lead in circles.
        """
        try:
            return self.root + rootfs.resolved(self.root, path)
        except SockwakeError as error:
            raise OSError(0, error.message, f"{self.root}{path}") from None

    def read(self, path: str, most: int = _MOST) -> str:
        """The first `most` characters of a plain file; raises OSError."""
        return files.read_plain(self.place(path), most)

    def text(self, path: str, most: int = _MOST) -> str:
        """The same, "" for a file that cannot be read."""
        try:
            return self.read(path, most)
        except PermissionError:
            raise
        except OSError:
            return ""

    def link(self, path: str) -> str:
        """What the link at a path says, "" when there is none."""
        directory, _, name = path.rpartition("/")
        try:
            return os.readlink(f"{self.place(directory)}/{name}")
        except PermissionError:
            raise
        except OSError:
            return ""

    def names(self, path: str) -> list[str]:
        """The sorted names in a directory, none when it cannot be read."""
        try:
            return sorted(os.listdir(self.place(path)))
        except PermissionError:
            raise
        except OSError:
            return []

    def mode(self, path: str) -> int:
        """Type and mode of what is at a path, 0 for nothing."""
        try:
            return os.lstat(self.place(path)).st_mode
        except PermissionError:
            raise
        except OSError:
            return 0

    def has(self, path: str) -> bool:
        """Whether there is anything at a path."""
        return bool(self.mode(path))

    def has_file(self, path: str) -> bool:
        """Whether there is a plain file."""
        return stat.S_ISREG(self.mode(path))

    def has_directory(self, path: str) -> bool:
        """Whether there is a directory."""
        return stat.S_ISDIR(self.mode(path))

    def has_program(self, path: str) -> bool:
        """Whether there is a file that may be executed."""
        mode = self.mode(path)
        return stat.S_ISREG(mode) and bool(mode & 0o111)

    def shown(self, path: str) -> str:
        """A path of the tree as an administrator types it here."""
        return f"{self.root}{path}"
