"""A directory copied: sharing its blocks where the file system can, with room looked for."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator

from sockwake.errors import IN_USE, SockwakeError
from sockwake.system import files, process
from sockwake.system.sizes import size

_SLACK = 16 << 20  # bytes beside the files
_SHOW_EVERY = 1  # seconds
_FIRST_ASK = 0.3  # seconds that a copy is not interrupted: one that shares blocks is done by then
_ASK_EVERY = 0.25  # seconds
# what goes on when this process is killed would write into what the next copy deletes
_NEVER_ALONE = ("setpriv", "--pdeathsig", "KILL")
# what tar says behind the reason, which what it reads from may have told before
_NO_REASON = ("tar: Exiting with failure status", "tar: This does not look like a tar archive")
_PROBE = ".sockwake-probe"
Asked = Callable[[], bool]


class InterruptedCopy(SockwakeError):
    """A copy was given up because something more important came."""

    def __init__(self, source: str) -> None:
        super().__init__(f"the copy of {source} was interrupted", status=IN_USE)


def copy(
    source: str,
    target: str,
    *,
    quiet: bool,
    is_wanted: Asked | None = None,
    hint: str = "--data names a directory elsewhere",
) -> None:
    """Copy all in a directory into another that is there; raises SockwakeError.

    Owners, modes, links and extended attributes stay. On a terminal it is shown how far it is.
    is_wanted: asked now and then whether the copy has to be given up, which raises InterruptedCopy
    and leaves what is there. hint: the way out when there is no room. sync() is the caller's.
    """
    total = files.disk_usage(source)
    require_room(source, target, total, hint)
    argv = [*_NEVER_ALONE, "cp", "--archive", "--reflink=auto", f"{source}/.", target]
    shown = 0 if quiet or not sys.stderr.isatty() else total
    if not run(argv, target, shown, is_wanted):
        raise InterruptedCopy(source)


def sync(target: str) -> None:
    """Have all that was copied survive a power failure."""
    process.run(["sync", "--file-system", target], timeout=None)


def run(argv: list[str], target: str, total: int = 0, is_wanted: Asked | None = None) -> bool:
    """Run a program that fills a directory; returns False when it was given up.

    total: bytes that target will have, 0 to show nothing. Raises ProgramError.
    """
    import tempfile

    with tempfile.TemporaryFile() as said:
        child = process.begin(argv, said.fileno())
        try:
            status = _await(child, target, total, is_wanted)
        except BaseException:
            process.end(child)
            raise
        if status is None:
            process.end(child)
            return False
        said.seek(0)
        if status:
            lines = said.read().decode(errors="replace").splitlines()
            told = [line for line in lines if not line.startswith(_NO_REASON)]
            raise process.ProgramError(argv, status, "\n".join(told))
    return True


def _await(child: int, target: str, total: int, is_wanted: Asked | None) -> int | None:
    """The exit status of a child; None, with the child running on, when it is to be given up."""
    shown, asked = time.monotonic(), time.monotonic() + _FIRST_ASK - _ASK_EVERY
    has_shown = False
    while not process.has_ended(child, 0.05):
        now = time.monotonic()
        if is_wanted and now - asked > _ASK_EVERY:
            asked = now
            if is_wanted():
                return None
        if total and now - shown > _SHOW_EVERY:
            shown, has_shown = now, True
            done = min(files.disk_usage(target), total)
            sys.stderr.write(f"\rsockwake: copied {size(done)} of {size(total)} …")
            sys.stderr.flush()
    if has_shown:
        sys.stderr.write("\n")
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def require_room(source: str, target: str, needed: int, hint: str) -> None:
    """Raise SockwakeError when the file system has no room, and cannot share blocks either.

    needed: bytes.
    """
    free = files.free_room(target)
    if needed + _SLACK <= free or (source and _can_share(source, target)):
        return
    raise SockwakeError(
        f"{target} has room for {size(free)}, and the copy needs {size(needed + _SLACK)}", hint
    )


def _can_share(source: str, target: str) -> bool:
    """Whether copies share their blocks there; tried out with the first file."""
    first = next((path for path in _files(source) if os.path.getsize(path)), "")
    return can_clone(first, target)


def can_clone(file: str, directory: str) -> bool:
    """Whether a copy of a file shares its blocks (reflink) in a directory; tried out."""
    probe = f"{directory}/{_PROBE}"
    try:
        process.run(["cp", "--reflink=always", file, probe])
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
