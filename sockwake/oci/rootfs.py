"""Paths in an image's file system, which may have any link in it: none leads out of it."""

from __future__ import annotations

import os
import stat

from sockwake.errors import SockwakeError, reason
from sockwake.system import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container

_LINKS = 40  # in one path: the kernel's own limit
_MOST = 10_000_000  # characters of a file that is read: of users, groups, a shebang


def resolved(rootfs: str, path: str, mounted: Container[str] = ()) -> str:
    """A path of the container with the image's links followed, as a path of the container.

    mounted: mount points, resolved, below which the image's own files are out of sight.
    """
    done: list[str] = []
    hidden, links = 0, 0  # how many parts of done, at the end, are below a mount point
    todo = path.split("/")[::-1]
    while todo:
        part = todo.pop()
        if part in ("", "."):
            continue
        if part == "..":
            hidden = max(hidden - 1, 0)
            del done[-1:]
            continue
        here = "/".join(["", *done, part])
        if not hidden and os.path.islink(rootfs + here):
            links += 1
            if links > _LINKS:
                raise SockwakeError(f"{path} in the image is a loop of links")
            target = os.readlink(rootfs + here)
            done = [] if target.startswith("/") else done
            todo += target.split("/")[::-1]
            continue
        done.append(part)
        hidden += bool(hidden or here in mounted)
    return "/" + "/".join(done)


def text(rootfs: str, path: str) -> str:
    """A file of the image; "" when it has none."""
    try:
        return files.read_plain(rootfs + resolved(rootfs, path), _MOST)
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise SockwakeError(f"cannot read {path} of the image: {reason(error)}") from None


def program(rootfs: str, name: str, path: str) -> str:
    """The path of a program of the image that is called by its name. path: as in PATH."""
    if "/" in name:
        return name
    for folder in path.split(":"):
        found = f"{folder or '/'}/{name}"
        try:
            status = os.lstat(rootfs + resolved(rootfs, found))
        except OSError:
            continue
        if stat.S_ISREG(status.st_mode) and status.st_mode & 0o111:
            return found
    raise SockwakeError(f"the image has no program '{name}' in its PATH ({path})")
