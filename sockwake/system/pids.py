"""Processes of the host: their cgroups, and signals to the right one.

A process id may belong to another process by the time of the signal: with 32,768 of them, as in
many containers, within minutes. So a signal goes to a pidfd (pidfd_open(2)), and the process is
checked after the pidfd was opened.
"""

from __future__ import annotations

import _signal  # type: ignore  # no stub in the typeshed; signal costs a wake 5 ms
import os
import select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_ONE_THREAD = os.O_EXCL  # PIDFD_THREAD of linux/pidfd.h, Linux 6.9
_CONTROL = "/.control"  # where systemd runs the commands of a unit that has Delegate=
NONE = -1  # no pidfd


def every() -> Iterator[int]:
    """The ids of all processes."""
    return map(int, filter(str.isdigit, os.listdir("/proc")))


def cgroup(pid: int) -> str:
    """The cgroup (v2) of a process, "" when it has ended."""
    try:
        with open(f"/proc/{pid}/cgroup", encoding="utf-8", errors="replace") as file:
            return next((line[3:].rstrip("\n") for line in file if line.startswith("0::")), "")
    except OSError:
        return ""


def is_within(inner: str, outer: str) -> bool:
    """Whether the cgroup inner is outer or below it; always False for outer ""."""
    return bool(outer) and (inner == outer or inner.startswith(f"{outer}/"))


def is_in_unit(pid: int, unit: str) -> bool:
    """Whether a process belongs to a unit, whose cgroup has its name."""
    return unit in cgroup(pid).split("/")


def of_our_unit(pid: int) -> int:
    """Open a pidfd of process pid; NONE unless it is in the unit of this process."""
    ours = cgroup(os.getpid()).removesuffix(_CONTROL)
    return open_checked(pid, lambda: is_within(cgroup(pid), ours))


def open_checked(pid: int, is_it: Callable[[], bool]) -> int:
    """Open a pidfd of process pid; NONE when it has ended or pid is another process by now.

    is_it: tells, after the pidfd was opened, whether pid is the process that is meant.
    """
    return _open_checked(pid, is_it, 0)


def _open_checked(pid: int, is_it: Callable[[], bool], flags: int) -> int:
    try:
        pidfd = os.pidfd_open(pid, flags) if pid > 0 else NONE
    except ProcessLookupError:
        return NONE
    try:
        if pidfd != NONE and is_it() and not has_ended(pidfd):
            found, pidfd = pidfd, NONE
            return found
        return NONE
    finally:
        close(pidfd)


def has_ended(pidfd: int, seconds: float = 0) -> bool:
    """Whether a process has ended, or does within so many seconds."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def send(pidfd: int, number: int) -> None:
    """Send a signal by a pidfd; does nothing for NONE or a process that has ended."""
    if pidfd != NONE:
        try:
            _signal.pidfd_send_signal(pidfd, number)
        except ProcessLookupError:
            pass


def send_to_first_thread(pid: int, is_it: Callable[[], bool], number: int) -> None:
    """Send a signal to the first thread of a process alone; is_it as in open_checked()."""
    try:
        thread = _open_checked(pid, is_it, _ONE_THREAD)
    except OSError:  # a kernel before 6.9
        pidfd = open_checked(pid, is_it)
        if pidfd != NONE:
            import ctypes

            ctypes.CDLL(None).tgkill(pid, pid, number)
            close(pidfd)
    else:
        send(thread, number)
        close(thread)


def close(pidfd: int) -> None:
    if pidfd != NONE:
        os.close(pidfd)


def threads(pid: int) -> int:
    """The number of threads of a process; 0 when it has ended."""
    try:
        return len(os.listdir(f"/proc/{pid}/task"))
    except OSError:
        return 0


def child_of(pid: int) -> int:
    """The first child of a process, 0 for none: of crun, process 1 of the container it runs."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return int((file.read().split() or ["0"])[0])
    except OSError:
        return 0


def is_stopped(pid: int) -> bool:
    """Whether a process is stopped, traced or a zombie."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(") ")[2][:1] in ("T", "t", "Z")
    except OSError:
        return False


def switches(pid: int) -> tuple[int, int]:
    """The (voluntary, involuntary) context switches of a process, (0, 0) when it has ended.

    SIGSTOP adds one to those of a sleeping process (measured on Linux 6.18).
    """
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
            found = [
                int(line.split()[1])
                for line in file
                if line.startswith(("voluntary", "nonvoluntary"))
            ]
    except OSError:
        found = []
    return (found[0], found[1]) if len(found) == 2 else (0, 0)
