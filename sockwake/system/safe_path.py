"""Check that only root can change what a path resolves to; others could make root write elsewhere.

A user with write access to a directory can put a link to anywhere in place of an entry, between any
two looks at it. So every directory on the way has to be root's, by its owner, its mode and its
access list (acl(5)). Not checked in a user's own scope. On the wake path: imports next to nothing.
"""

from __future__ import annotations

import errno
import os
import stat

from sockwake.config import scope
from sockwake.errors import SockwakeError

# groups: root, and Debian's staff, whose members may write in /usr/local, and so in root's PATH
_MIGHTY = (0, 50)
_LONGEST_WAY = 200  # steps; links may lead in circles
# the kernel's include/uapi/linux/posix_acl.h and posix_acl_xattr.h
_ACCESS_LIST, _DEFAULT_LIST = "system.posix_acl_access", "system.posix_acl_default"
LISTS = (_ACCESS_LIST, _DEFAULT_LIST)
_VERSION, _HEADER, _ENTRY, _WRITE = 2, 4, 8, 2
_USER, _GROUP_OBJ, _GROUP, _MASK, _OTHER = 0x02, 0x04, 0x08, 0x10, 0x20


def require_safe(path: str, what: str) -> None:
    """Raise SockwakeError when others than root can replace path or a directory above it.

    A part of the path that does not exist yet is safe: root will create it. what: the name of the
    path for the error.
    """
    if scope.is_user():
        return
    for directory, entry in _steps(path):
        if flaw := _lets_in(directory, entry):
            raise SockwakeError(
                f"{what} {path} can be replaced by others than root: {directory} {flaw}",
                "choose a place where every directory is root's",
            )


def require_program(path: str, what: str) -> None:
    """Raise SockwakeError when others than root can replace or write a program that root runs."""
    require_unwritable(path, what)


def require_unwritable(path: str, what: str) -> None:
    """Raise SockwakeError when others than root can replace or write a file or directory."""
    require_safe(path, what)
    if not scope.is_user() and (flaw := _is_others(path, os.stat(path))):
        raise SockwakeError(f"{what} {path} can be written by others than root: it {flaw}")


def require_inside(root: str, path: str) -> None:
    """Raise SockwakeError when a link leads from a path in the tree root out of it.

    root: without links. For the system that boots from the tree a link to /x is one to its own /x,
    and here it would be one to this system's.
    """
    require_in_tree(root, root + path)


def require_in_tree(root: str, path: str, *below: str) -> None:
    """The same for a path as this system sees it, with root before it, and for entries below it.

    root: "" for no tree, where every place is right. path: "" for none.
    """
    for each in (path, *(f"{path}/{name}" for name in below)) if root and path else ():
        found = os.path.realpath(each)
        if not is_in(found, root):
            raise SockwakeError(
                f"{each} leads out of the tree, to {found}", "make the link in it a relative one"
            )


def open_directory(path: str, *below: str) -> int:
    """Open a directory below path as O_PATH; raises OSError, also for a link below path."""
    fd = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    for name in below:
        try:
            inner = os.open(
                name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd
            )
        finally:
            os.close(fd)
        fd = inner
    return fd


def _steps(path: str) -> list[tuple[str, str]]:
    """(directory, entry) of every lookup that resolves path, with links, as far as it exists."""
    steps: list[tuple[str, str]] = []
    here, todo = "/", path.split("/")[::-1]
    while todo and len(steps) < _LONGEST_WAY:
        name = todo.pop()
        if name in ("", "."):
            continue
        if name == "..":
            here = os.path.dirname(here)
            continue
        steps.append((here, name))
        entry = f"{here.rstrip('/')}/{name}"
        try:
            link = os.readlink(entry)
        except OSError as error:
            if error.errno != errno.EINVAL:
                break  # the rest does not exist yet
            here = entry
            continue
        todo += link.split("/")[::-1]
        here = "/" if link.startswith("/") else here
    return steps


def _lets_in(directory: str, entry: str) -> str:
    """Why others than root can replace an entry of a directory, or "".

    In a sticky directory only the owner of the entry can.
    """
    found = os.stat(directory)
    if found.st_mode & stat.S_ISVTX and not found.st_uid:
        try:
            owner = os.lstat(f"{directory}/{entry}").st_uid
        except FileNotFoundError:
            return "is writable by every user"
        if owner in (0, os.geteuid()):
            return ""
        return f"is writable by every user, and {entry} belongs to {_name(owner)}"
    return _is_others(directory, found)


def _is_others(path: str, found: os.stat_result) -> str:
    """Why others than root can write a file or directory, or ""."""
    if found.st_uid not in (0, os.geteuid()):
        return f"belongs to {_name(found.st_uid)}"
    lists = [name for name in os.listxattr(path) if name in LISTS]
    if any(_grants_others(os.getxattr(path, name), found.st_gid) for name in lists):
        return "can be written by others, or what is made in it: see getfacl(1)"
    # with an access list the group's bits are no group's but the mask
    by_its_group = (
        found.st_mode & stat.S_IWGRP and found.st_gid not in _MIGHTY and _ACCESS_LIST not in lists
    )
    return "can be written by others" if by_its_group or found.st_mode & stat.S_IWOTH else ""


def _grants_others(acl: bytes, gid: int) -> bool:
    """Whether an access list, as getxattr(2) returns it, lets others than root write.

    gid: the group of the file.
    """
    size = len(acl) - _HEADER
    if size < 0 or size % _ENTRY or int.from_bytes(acl[:_HEADER], "little") != _VERSION:
        return True  # of an unknown format
    entries = []
    for at in range(_HEADER, len(acl), _ENTRY):
        tag, permissions, number = (
            int.from_bytes(acl[at + a : at + b], "little") for a, b in ((0, 2), (2, 4), (4, 8))
        )
        entries.append((tag, bool(permissions & _WRITE), number))
    unmasked = all(writes for tag, writes, _ in entries if tag == _MASK)
    return any(
        writes and (tag == _OTHER or (unmasked and _is_others_entry(tag, number, gid)))
        for tag, writes, number in entries
    )


def _is_others_entry(tag: int, number: int, gid: int) -> bool:
    """Whether an entry is for others than root. number: the user or group that it names."""
    if tag == _USER:
        return number not in (0, os.geteuid())
    return (tag == _GROUP and number not in _MIGHTY) or (tag == _GROUP_OBJ and gid not in _MIGHTY)


def _name(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def overlap(one: str, other: str) -> bool:
    """Whether one directory is the other, or inside it, by real path."""
    one, other = os.path.realpath(one), os.path.realpath(other)
    return is_in(one, other) or is_in(other, one)


def is_in(path: str, directory: str) -> bool:
    return path == directory or path.startswith(f"{directory.rstrip('/')}/")
