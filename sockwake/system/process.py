"""The one door to other programs."""

from __future__ import annotations

import os
import sys

from sockwake.errors import SockwakeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import NoReturn

PATIENCE = 30  # seconds for a program that asks something, or does what takes no time
_GRACE = 3  # seconds to end when asked to, and again to have ended when killed


class Overdue(SockwakeError):
    """Another program did not end in time, and was ended; waited says how long that was."""

    def __init__(self, argv: Sequence[str], timeout: float) -> None:
        self.waited = f"did not end within {timeout:g} s"
        super().__init__(f"'{' '.join(argv)}' {self.waited}")


class ProgramError(SockwakeError):
    """Another program failed; returned is its exit status, said its last line, or ""."""

    def __init__(self, argv: Sequence[str], status: int, output: str) -> None:
        self.returned = status
        lines = output.strip().splitlines()
        super().__init__(
            f"'{' '.join(argv)}' failed with status {status}",
            said=lines[-1].strip() if lines else "",
        )


def run(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    show: bool = False,
    check: bool = True,
    timeout: float | None = PATIENCE,
    cwd: str | None = None,
    aside: list[str] | None = None,
) -> str:
    """What argv printed on stdout, in the C locale, with stdin closed.

    env: added to ours. show: let it write to our stderr (a progress bar) and return "". timeout: seconds until it is ended,
    with whatever it has begun; None for one that only its user interrupts, in whose terminal's foreground it stays.
    cwd: where it runs. aside: gets what it wrote on stderr.
    Raises ProgramError, unless check is False, Overdue, and SockwakeError when it cannot be run at all.
    """
    import subprocess  # 12 ms, which the wake of a TLS instance needs not pay for spawn()

    try:
        process = subprocess.Popen(
            argv,
            cwd=cwd,
            env={**os.environ, "LC_ALL": "C.UTF-8", **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=2 if show else subprocess.PIPE,
            stderr=None if show else subprocess.PIPE,
            text=True,
            errors="replace",
            process_group=None if timeout is None else 0,
        )
    except OSError as error:
        raise _unusable(argv, error) from None
    try:
        stdout, stderr = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        raise Overdue(argv, timeout or 0) from None
    finally:
        if process.returncode is None:  # late, or interrupted
            _end(process.pid, group=timeout is not None)
            process.poll()
            for pipe in filter(None, (process.stdout, process.stderr)):
                pipe.close()
    if check and process.returncode:
        raise ProgramError(argv, process.returncode, stderr or stdout or "")
    if aside is not None:
        aside.append(stderr or "")
    return stdout or ""


def spawn(argv: list[str], *, timeout: float = PATIENCE) -> None:
    """Run argv for its status alone, as cheaply as can be; raises ProgramError, or Overdue after timeout seconds."""
    try:
        pid = os.posix_spawnp(argv[0], argv, os.environ, setpgroup=0)
    except OSError as error:
        raise _unusable(argv, error) from None
    child = os.pidfd_open(pid)
    has_ended = False
    try:
        has_ended = _has_ended(child, timeout)
    finally:
        os.close(child)
        if not has_ended:
            _end(pid, group=True)
        status = os.waitpid(pid, 0 if has_ended else os.WNOHANG)[1]
    if not has_ended:
        raise Overdue(argv, timeout)
    if status := os.waitstatus_to_exitcode(status):
        raise ProgramError(argv, status, "")


def _unusable(argv: Sequence[str], error: OSError) -> SockwakeError:
    return SockwakeError(f"cannot run {argv[0]}: {(error.strerror or str(error)).lower()}")


def _end(pid: int, *, group: bool) -> None:
    """End a child, and its process group: that bears its number for as long as nobody has waited for the child."""
    import _signal  # type: ignore  # the typeshed has no stub for it

    child = os.pidfd_open(pid)
    try:
        for number in (_signal.SIGTERM, _signal.SIGKILL):
            (os.killpg if group else os.kill)(pid, number)
            _has_ended(child, _GRACE)  # even a killed one may not, while its disk does not answer
    except PermissionError:
        pass  # it has become another user's
    finally:
        os.close(child)


def _has_ended(child: int, timeout: float) -> bool:
    """Whether the process behind a descriptor ends within so many seconds."""
    import select

    poll = select.poll()
    poll.register(child, select.POLLIN)
    return bool(poll.poll(timeout * 1000))


def become(program: str, *arguments: str) -> NoReturn:
    """Go on as another of our own programs, which is beside this one."""
    path = f"{os.path.dirname(os.path.realpath(sys.argv[0]))}/{program}"
    os.execv(path, [path, *arguments])


def exists(program: str) -> bool:
    """Whether program can be found."""
    import shutil

    return shutil.which(program) is not None
