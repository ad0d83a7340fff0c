"""Write files whole or not at all, with owner and mode from the start; read and remove files."""

from __future__ import annotations

import errno
import os
import stat


def write_new(path: str, mode: int, text: str, uid: int = -1) -> None:
    """Write a new file and sync it to disk; raises FileExistsError.

    O_EXCL follows no link: the directory may be another user's, with a link to anywhere in it.
    """
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            os.fchmod(fd, mode)
            os.fchown(fd, uid, uid)
            file.write(text)
            file.flush()
            os.fsync(fd)
    except OSError as error:
        _named(error, path)
        raise


def _named(error: OSError, path: str) -> None:
    """Have an error tell the path: that of a write alone does not say what file system is full."""
    error.filename = error.filename or path


def read_plain(path: str, most: int = 1000) -> str:
    """The first `most` characters of a file in another user's directory; raises OSError.

    It may be a link, a pipe or a device there: none is followed or waited for.
    """
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(fd, encoding="utf-8", errors="replace") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(0, "it is no plain file", path)
        return file.read(most)


def replace(path: str, mode: int, text: str, uid: int = -1) -> None:
    """Write a file in place of the one that is there, by a rename, and sync it to disk.

    After an error nothing is left beside it: on a full disk what undoes the work needs the room.
    """
    remove(f"{path}.new")
    try:
        write_new(f"{path}.new", mode, text, uid)
        os.rename(f"{path}.new", path)
    except OSError:
        try:
            remove(f"{path}.new")
        except OSError:
            pass  # the first error is the one to tell
        raise
    sync(os.path.dirname(path))


def write_first(path: str, mode: int, text: str) -> None:
    """Write a file unless there is one, and sync it to disk.

    It is whole from the start. Nothing is left of a call that was killed: it had no name before.
    """
    directory = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fd = os.open(".", os.O_WRONLY | os.O_TMPFILE | os.O_CLOEXEC, mode, dir_fd=directory)
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            os.fchmod(fd, mode)
            file.write(text)
            file.flush()
            os.fsync(fd)
            # with a directory link(2) becomes linkat(2), which follows the link of /proc
            os.link(
                f"/proc/self/fd/{fd}",
                os.path.basename(path),
                src_dir_fd=directory,
                dst_dir_fd=directory,
                follow_symlinks=True,
            )
        os.fsync(directory)
    except FileExistsError:
        pass
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR):
            _named(error, path)
            raise
        replace(path, mode, text)  # a file system without files that have no name
    finally:
        os.close(directory)


def text_of(path: str) -> str:
    """The contents of a file, "" when it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def exists(path: str) -> bool:
    """Whether there is anything at a path, or at the end of a link there; raises OSError.

    What may not be seen, or cannot be read, is not taken for what is not there.
    """
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def sync(directory: str) -> None:
    """Sync a directory, so that new and renamed entries survive a power failure."""
    _sync(directory, os.O_DIRECTORY)


def sync_file(path: str) -> None:
    """Sync a file that another program has written."""
    _sync(path)


def _sync(path: str, flags: int = 0) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | flags)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def remove(path: str) -> bool:
    """Unlink path if it is there; returns whether it was."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return False
    return True


def replace_volatile(path: str, text: str, mode: int = 0o644) -> None:
    """Write a file in /run by a rename, without a sync: it does not survive a boot anyway."""
    try:
        with open(
            f"{path}.new",
            "w",
            encoding="utf-8",
            opener=lambda new, flags: os.open(new, flags, mode),
        ) as file:
            file.write(text)
    except OSError as error:
        _named(error, f"{path}.new")
        remove(f"{path}.new")  # no part of it takes room that others need
        raise
    os.rename(f"{path}.new", path)


def unnamed(text: str) -> str:
    """The path of a file in memory, for this process's user alone and what this process becomes."""
    file = os.memfd_create("sockwake", 0)
    os.fchmod(file, 0o600)
    os.write(file, text.encode())
    return f"/proc/self/fd/{file}"


def free_room(directory: str) -> int:
    """The bytes that may still be written to the file system of a directory."""
    found = os.statvfs(directory)
    return found.f_bavail * found.f_frsize


def disk_usage(directory: str) -> int:
    """The bytes that the files below a directory take on the disk; one of several names, once."""
    total = 0
    seen = set()
    for folder, _, names in os.walk(directory):
        for name in names:
            try:
                known = os.lstat(f"{folder}/{name}")
            except OSError:
                continue  # it has just gone
            if known.st_nlink > 1:
                if (inode := (known.st_dev, known.st_ino)) in seen:
                    continue
                seen.add(inode)
            total += known.st_blocks * 512
    return total
