"""Run other programs: the only module that does."""

from __future__ import annotations

import os
import sys

from sockwake.config import scope
from sockwake.errors import SockwakeError, reason
from sockwake.system import packages, pids, sdnotify

TYPE_CHECKING = False
if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Mapping, Sequence
    from typing import NoReturn

exists = packages.exists
PATIENCE = 30  # seconds for a program that answers at once
_LOOK_EVERY = 0.2  # seconds between two looks for a signal that is put off
_LONGEST_OUTPUT = 1 << 16  # bytes that an error keeps of what a program wrote
_GRACE = 3  # seconds to end after SIGTERM, and again after SIGKILL


class Overdue(SockwakeError):
    """A program was ended because it took too long. waited: "did not end within 30 s"."""

    def __init__(self, argv: Sequence[str], timeout: float) -> None:
        self.waited = f"did not end within {timeout:g} s"
        super().__init__(f"'{' '.join(argv)}' {self.waited}")


class NotInstalled(SockwakeError):
    """There is no such program on this machine."""

    def __init__(self, program: str) -> None:
        super().__init__(f"{program} is not installed", packages.install(program))


class ProgramError(SockwakeError):
    """A program failed. returned: its exit status, or -N for signal N. output: all that it wrote.

    written: of that its stdout. said: its last line, or "", or that it was killed.
    """

    def __init__(self, argv: Sequence[str], status: int, output: str, rest: str = "") -> None:
        self.returned = status
        self.output, self.written = rest + output, rest
        last = (["", *(output or rest).strip().splitlines()])[-1].strip()
        super().__init__(
            f"'{' '.join(argv)}' failed" + (f" with status {status}" if status >= 0 else ""),
            said=last if status >= 0 else f"it was killed by signal {-status}",
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
    stdin: str | None = None,
) -> str:
    """Run argv in the C locale with stdin closed, and return its stdout.

    env: added to our environment. show: let it write to our stderr (a progress bar) and return "".
    timeout: seconds until its process group is ended; None for a program that stays in the
    foreground of the user's terminal, to be interrupted there or, without stdin, by a signal that
    this process has put off (sdnotify.put_off_ending).
    cwd: where it runs. aside: gets what it wrote on stderr. stdin: what it reads there instead.
    Raises ProgramError unless check is False, Overdue, and SockwakeError when it cannot be run or
    is interrupted.
    """
    import subprocess  # 12 ms, which a wake that only uses spawn() does not pay

    try:
        process = subprocess.Popen(
            argv,
            cwd=cwd,
            env={**os.environ, "LC_ALL": "C.UTF-8", **(env or {})},
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=2 if show else subprocess.PIPE,
            stderr=None if show else subprocess.PIPE,
            text=True,
            errors="replace",
            process_group=None if timeout is None else 0,
        )
    except OSError as error:
        raise _unusable(argv, error) from None
    try:
        stdout, stderr = _await(process, argv, stdin, timeout)
    finally:
        if process.returncode is None:  # late, or interrupted
            _abandon(process, group=timeout is not None)
    if process.returncode and (program := packages.missing(argv, process.returncode)):
        raise NotInstalled(program)
    if check and process.returncode:
        raise ProgramError(argv, process.returncode, stderr or "", stdout or "")
    if aside is not None:
        aside.append(stderr or "")
    return stdout or ""


def _await(
    process: subprocess.Popen[str], argv: Sequence[str], stdin: str | None, timeout: float | None
) -> tuple[str | None, str | None]:
    """What a program has written when it has ended; raises Overdue, or SockwakeError (stopped)."""
    import subprocess

    if timeout is not None or stdin is not None:
        try:
            return process.communicate(stdin, timeout=timeout)
        except subprocess.TimeoutExpired:
            raise Overdue(argv, timeout or 0) from None
    while not sdnotify.is_asked_to_end():
        try:
            return process.communicate(timeout=_LOOK_EVERY)
        except subprocess.TimeoutExpired:
            pass
    raise SockwakeError(f"it was stopped while '{' '.join(argv)}' ran")


def spawn(argv: list[str], *, timeout: float = PATIENCE, quietly: bool = False) -> None:
    """Run argv for its status, without subprocess; raises ProgramError, or Overdue.

    timeout: seconds. quietly: what it writes is in the error alone, and not on our stderr. By no
    pipe, which what it leaves running would keep open.
    """
    written = os.memfd_create("output") if quietly else pids.NONE
    places = [(os.POSIX_SPAWN_DUP2, written, n) for n in (1, 2)] if quietly else []
    try:
        _spawn(argv, places, timeout)
    except ProgramError as error:
        said = os.pread(written, _LONGEST_OUTPUT, 0).decode(errors="replace") if quietly else ""
        raise ProgramError(argv, error.returned, said) from None
    finally:
        pids.close(written)


def _spawn(argv: list[str], places: list[tuple[int, int, int]], timeout: float) -> None:
    try:
        pid = os.posix_spawnp(argv[0], argv, os.environ, setpgroup=0, file_actions=places)
    except OSError as error:
        raise _unusable(argv, error) from None
    child = os.pidfd_open(pid)
    has_ended = False
    try:
        has_ended = pids.has_ended(child, timeout)
    finally:
        os.close(child)
        if not has_ended:
            _end(pid, group=True)
        status = os.waitpid(pid, 0 if has_ended else os.WNOHANG)[1]
    if not has_ended:
        raise Overdue(argv, timeout)
    if status := os.waitstatus_to_exitcode(status):
        raise ProgramError(argv, status, "")


def interact(argv: list[str]) -> int:
    """Run argv on the user's terminal, whose Ctrl-C is the program's own; its exit status."""
    import signal

    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        pid = os.posix_spawnp(argv[0], argv, os.environ, setsigdef=[signal.SIGINT])
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    except OSError as error:
        raise _unusable(argv, error) from None
    finally:
        signal.signal(signal.SIGINT, before)


def begin(argv: list[str], output: int, source: int = pids.NONE) -> int:
    """Start argv in a process group of its own and return its id; the caller waits for it.

    output: the descriptor for its stdout and stderr. source: that for its stdin, which is closed
    without one. Raises SockwakeError.
    """
    nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    places = [
        (os.POSIX_SPAWN_DUP2, nothing if source == pids.NONE else source, 0),
        *((os.POSIX_SPAWN_DUP2, output, n) for n in (1, 2)),
    ]
    try:
        return os.posix_spawnp(argv[0], argv, os.environ, setpgroup=0, file_actions=places)
    except OSError as error:
        raise _unusable(argv, error) from None
    finally:
        os.close(nothing)


def begin_with_sockets(argv: list[str]) -> int:
    """Start argv with the listening sockets that systemd has passed to us, and return its id.

    They are for the process whose id is in LISTEN_PID (sd_listen_fds(3)). Raises SockwakeError.
    """
    # systemd 262 wants LISTEN_PIDFDID, which is ours, to fit LISTEN_PID
    own = ["sh", "-c", 'unset LISTEN_PIDFDID; export LISTEN_PID=$$; exec "$@"', "sh", *argv]
    try:
        return os.posix_spawnp("sh", own, os.environ)
    except OSError as error:
        raise _unusable(own, error) from None


def end(pid: int) -> None:
    """End what begin() has started, with its process group, and wait for it."""
    _end(pid, group=True)
    os.waitpid(pid, os.WNOHANG)


def has_ended(pid: int, timeout: float) -> bool:
    """Whether what begin() has started ends within so many seconds; the caller waits for it."""
    child = os.pidfd_open(pid)
    try:
        return pids.has_ended(child, timeout)
    finally:
        os.close(child)


def _unusable(argv: Sequence[str], error: OSError) -> SockwakeError:
    if argv[0] in packages.OF and not exists(argv[0]):
        return NotInstalled(argv[0])
    return SockwakeError(f"cannot run {argv[0]}: {reason(error)}")


def _abandon(process: subprocess.Popen[str], *, group: bool) -> None:
    _end(process.pid, group=group)
    process.poll()
    for pipe in filter(None, (process.stdin, process.stdout, process.stderr)):
        pipe.close()


def _end(pid: int, *, group: bool) -> None:
    """End a child or, with group, its process group.

    The group keeps its id until the child has been waited for.
    """
    import _signal  # type: ignore  # the typeshed has no stub for it

    child = os.pidfd_open(pid)
    try:
        for number in (_signal.SIGTERM, _signal.SIGKILL):
            (os.killpg if group else os.kill)(pid, number)
            pids.has_ended(child, _GRACE)  # never, while its disk does not answer
    except PermissionError:
        pass  # it has changed its user id
    finally:
        os.close(child)


def become(program: str, *arguments: str) -> NoReturn:
    """Replace this process by another program of sockwake, from the directory of this one."""
    path = f"{os.path.dirname(os.path.realpath(sys.argv[0]))}/{program}"
    os.execv(path, [path, *arguments])


def take_over(argv: Sequence[str], env: Mapping[str, str]) -> NoReturn:
    """Replace this process by another program, as the user's shell would have started it.

    Raises SockwakeError when it cannot be run. Python ignores SIGPIPE, which others end by.
    """
    import signal

    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.umask(scope.caller_umask)
    try:
        os.execvpe(argv[0], list(argv), env)
    except OSError as error:
        raise _unusable(argv, error) from None


def attend(
    argv: Sequence[str],
    env: Mapping[str, str],
    numbers: Sequence[int],
    pass_on: Callable[[int], object],
) -> int:
    """Run argv at the user's terminal, and return its exit status: 128 + N when signal N ended it.

    pass_on: called with each of the signals of these numbers that comes meanwhile, in place of what
    this process does with it. Raises SockwakeError when it cannot be run.
    """
    import signal

    default = {signal.SIGPIPE, *numbers}
    before = {each: signal.signal(each, lambda number, _: pass_on(number)) for each in numbers}
    try:
        pid = os.posix_spawnp(argv[0], list(argv), env, setsigdef=default)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    except OSError as error:
        raise _unusable(argv, error) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return status if status >= 0 else 128 - status
