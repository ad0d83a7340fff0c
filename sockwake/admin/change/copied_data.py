"""A data directory copied: sharing its blocks where the file system can, with room looked for."""

import os
import sys
import time
from collections.abc import Iterator

from sockwake.admin import words
from sockwake.errors import SockwakeError
from sockwake.system import files, process

_SLACK = 16 << 20  # bytes beside the files
_SHOW_EVERY = 1  # seconds
# what goes on when this process is killed would write into what the next copy deletes
_NEVER_ALONE = ("setpriv", "--pdeathsig", "KILL")
_PROBE = ".sockwake-probe"


def copy(source: str, target: str, *, quiet: bool) -> None:
    """Copy all in a directory into another that is there; raises SockwakeError.

    Owners, modes, links and extended attributes stay. On a terminal it is shown how far it is.
    """
    total = files.disk_usage(source)
    _require_room(source, target, total)
    argv = [*_NEVER_ALONE, "cp", "--archive", "--reflink=auto", f"{source}/.", target]
    _run(argv, target, 0 if quiet or not sys.stderr.isatty() else total)
    files.remove(f"{target}/{_PROBE}")
    process.run(["sync", "--file-system", target], timeout=None)


def _run(argv: list[str], target: str, total: int) -> None:
    """Run cp; raises ProgramError. total: bytes of what it copies to target, 0 to show nothing."""
    import tempfile

    with tempfile.TemporaryFile() as said:
        child = process.begin(argv, said.fileno())
        try:
            status = _await(child, target, total)
        except BaseException:
            process.end(child)
            raise
        said.seek(0)
        if status:
            raise process.ProgramError(argv, status, said.read().decode(errors="replace"))


def _await(child: int, target: str, total: int) -> int:
    """The exit status of the copying; total: its bytes, 0 to show nothing."""
    shown = 0.0
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            break
        time.sleep(0.05)
        if total and time.monotonic() - shown > _SHOW_EVERY:
            shown = time.monotonic()
            done = min(files.disk_usage(target), total)
            sys.stderr.write(f"\rsockwake: copied {words.size(done)} of {words.size(total)} …")
            sys.stderr.flush()
    if shown:
        sys.stderr.write("\n")
    return os.waitstatus_to_exitcode(status)


def _require_room(source: str, target: str, needed: int) -> None:
    """Raise SockwakeError when the file system has no room, and cannot share blocks either."""
    room = os.statvfs(target)
    free = room.f_bavail * room.f_frsize
    if needed + _SLACK <= free or _can_share(source, target):
        return
    raise SockwakeError(
        f"{target} has room for {words.size(free)}, "
        f"and the copy needs {words.size(needed + _SLACK)}",
        "--data names a directory elsewhere",
    )


def _can_share(source: str, target: str) -> bool:
    """Whether copies share their blocks (reflink) there; tried out with the first file."""
    first = next((path for path in _files(source) if os.path.getsize(path)), "")
    probe = f"{target}/{_PROBE}"
    try:
        process.run(["cp", "--reflink=always", first, probe])
    except SockwakeError:
        return False
    finally:
        files.remove(probe)
    return True


def _files(directory: str) -> Iterator[str]:
    for at, _, names in os.walk(directory):
        for name in names:
            path = f"{at}/{name}"
            if os.path.isfile(path) and not os.path.islink(path):
                yield path
