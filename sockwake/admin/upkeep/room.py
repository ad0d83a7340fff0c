"""How a new cluster can get the data of an old one on a file system, and whether it has room."""

from __future__ import annotations

from sockwake.admin import words
from sockwake.errors import SockwakeError
from sockwake.system import files, process

# of the old cluster's size: a copy; a dump beside what is made of it
_TIMES = {"upgrade": 1, "dump": 2}
_SLACK = 160 << 20  # bytes: what initdb makes, and WAL
_PROBE = ".sockwake-probe"


def method(cluster: str, data: str, wanted: str) -> str:
    """The method that is wanted, or the best for data; raises SockwakeError when it cannot be.

    cluster: the directory of the old cluster, in the data directory.
    """
    can_clone = _can_clone(cluster, data) if wanted in ("", "clone") else False
    if wanted == "clone" and not can_clone:
        raise SockwakeError(
            f"the file system of {data} cannot clone files",
            "without --method they are copied; --method link takes no room, and has no way back",
        )
    chosen = wanted or ("clone" if can_clone else "upgrade")
    needed = files.disk_usage(cluster) * _TIMES.get(chosen, 0) + _SLACK
    if (free := files.free_room(data)) < needed:
        raise SockwakeError(
            f"{data} has room for {words.size(free)}, and the new cluster needs "
            f"{words.size(needed)}",
            "--method link takes no room, and has no way back" if chosen in _TIMES else "",
        )
    return chosen


def _can_clone(cluster: str, data: str) -> bool:
    """Whether copies share their blocks (reflink) there."""
    probe = f"{data}/{_PROBE}"
    try:
        process.run(["cp", "--reflink=always", f"{cluster}/PG_VERSION", probe])
    except SockwakeError:
        return False
    finally:
        files.remove(probe)
    return True
