"""How a new cluster can get the data of an old one on a file system, and whether it has room."""

from __future__ import annotations

from sockwake.admin import words
from sockwake.errors import SockwakeError
from sockwake.system import files, tree_copy

# of the old cluster's size: a copy; a dump beside what is made of it
_TIMES = {"upgrade": 1, "dump": 2}
_SLACK = 160 << 20  # bytes: what initdb makes, and WAL


def method(cluster: str, data: str, wanted: str) -> str:
    """The method that is wanted, or the best for data; raises SockwakeError when it cannot be.

    cluster: the directory of the old cluster, in the data directory.
    """
    can_clone = wanted in ("", "clone") and tree_copy.can_clone(f"{cluster}/PG_VERSION", data)
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
