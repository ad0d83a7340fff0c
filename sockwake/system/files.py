"""Files that are whole or absent, with their final owner and mode from the first byte; and those that may be gone."""

from __future__ import annotations

import os
import stat


def write_new(path: str, mode: int, text: str, uid: int = -1) -> None:
    """A file that was not there before, on disk when this returns; raises FileExistsError.

    O_EXCL follows no link: the directory may belong to somebody who would like us to.
    """
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        os.fchmod(fd, mode)
        os.fchown(fd, uid, uid)
        file.write(text)
        file.flush()
        os.fsync(fd)


def read_plain(path: str, most: int = 1000) -> str:
    """The first characters of a file in somebody else's directory, who may have put anything there; raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(fd, encoding="utf-8", errors="replace") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(0, "it is no plain file", path)
        return file.read(most)


def replace(path: str, mode: int, text: str, uid: int = -1) -> None:
    """The same in place of what is there."""
    remove(f"{path}.new")
    write_new(f"{path}.new", mode, text, uid)
    os.rename(f"{path}.new", path)
    sync(os.path.dirname(path))


def text_of(path: str) -> str:
    """What is in a file, "" when it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def sync(directory: str) -> None:
    """Make the names in a directory durable."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def remove(path: str) -> None:
    """Unlink path if it is there."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def replace_volatile(path: str, text: str, mode: int = 0o644) -> None:
    """Write path whole or not at all; it lives in /run, so there is nothing to sync."""
    with open(
        f"{path}.new", "w", encoding="utf-8", opener=lambda new, flags: os.open(new, flags, mode)
    ) as file:
        file.write(text)
    os.rename(f"{path}.new", path)
