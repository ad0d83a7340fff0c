"""The one door to other programs."""

from __future__ import annotations

import os
import sys

from sockwake.errors import SockwakeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import NoReturn


class ProgramError(SockwakeError):
    """Another program failed; returned is its exit status, said its last line, or ""."""

    def __init__(self, argv: Sequence[str], status: int, output: str) -> None:
        self.returned = status
        lines = output.strip().splitlines()
        self.said = lines[-1].strip() if lines else ""
        super().__init__(f"'{' '.join(argv)}' failed with status {status}{f': {self.said}' if self.said else ''}")


def run(argv: Sequence[str], *, env: Mapping[str, str] | None = None, show: bool = False, check: bool = True) -> str:
    """What argv printed on stdout, in the C locale, with stdin closed.

    env: added to ours. show: let it write to our stderr (a progress bar) and return "".
    Raises ProgramError, unless check is False, and SockwakeError when it cannot be run at all.
    """
    import subprocess  # 12 ms, which the wake of a TLS instance needs not pay for spawn()

    try:
        done = subprocess.run(
            argv,
            env={**os.environ, "LC_ALL": "C.UTF-8", **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=2 if show else subprocess.PIPE,
            stderr=None if show else subprocess.PIPE,
            text=True,
            errors="replace",
        )
    except OSError as error:
        raise SockwakeError(f"cannot run {argv[0]}: {(error.strerror or str(error)).lower()}") from None
    if check and done.returncode:
        raise ProgramError(argv, done.returncode, done.stderr or done.stdout or "")
    return done.stdout or ""


def spawn(argv: list[str]) -> None:
    """Run argv for its status alone, as cheaply as can be; raises ProgramError."""
    try:
        pid = os.posix_spawnp(argv[0], argv, os.environ)
    except OSError as error:
        raise SockwakeError(f"cannot run {argv[0]}: {(error.strerror or str(error)).lower()}") from None
    if status := os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]):
        raise ProgramError(argv, status, "")


def become(program: str, *arguments: str) -> NoReturn:
    """Go on as another of our own programs, which is beside this one."""
    path = f"{os.path.dirname(os.path.realpath(sys.argv[0]))}/{program}"
    os.execv(path, [path, *arguments])


def exists(program: str) -> bool:
    """Whether program can be found."""
    import shutil

    return shutil.which(program) is not None
