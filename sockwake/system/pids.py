"""Processes of the host: which unit's they are, as their cgroup tells, and a descriptor of one that is to be signalled.

A number alone may be another process's by the time it is used: with 32,768 of them, as in many containers, within
minutes. So a signal goes by a descriptor (pidfd_open(2)), and that it is of the right process is checked when it is open.
"""

from __future__ import annotations

import _signal  # type: ignore  # the typeshed has no stub for it, and the module signal costs a wake 5 ms
import os
import select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_ONE_THREAD = os.O_EXCL  # PIDFD_THREAD of linux/pidfd.h, Linux 6.9
_CONTROL = "/.control"  # where systemd runs the commands of a unit that has Delegate=
NONE = -1  # the descriptor of no process


def every() -> Iterator[int]:
    """All there are."""
    return map(int, filter(str.isdigit, os.listdir("/proc")))


def cgroup(pid: int) -> str:
    """Its cgroup in the second hierarchy, "" when it has ended."""
    try:
        with open(f"/proc/{pid}/cgroup", encoding="utf-8", errors="replace") as file:
            return next((line[3:].rstrip("\n") for line in file if line.startswith("0::")), "")
    except OSError:
        return ""


def is_within(inner: str, outer: str) -> bool:
    """Whether a cgroup is another, or below it; nothing is within none."""
    return bool(outer) and (inner == outer or inner.startswith(f"{outer}/"))


def of_our_unit(pid: int) -> int:
    """open_checked() for a process of the unit this process is in."""
    ours = cgroup(os.getpid()).removesuffix(_CONTROL)
    return open_checked(pid, lambda: is_within(cgroup(pid), ours))


def open_checked(pid: int, is_it: Callable[[], bool]) -> int:
    """A descriptor of process pid; NONE when it has ended, or its number is another's by now.

    is_it: whether the number still means the process, asked when the descriptor is open.
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


def has_ended(pidfd: int) -> bool:
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(0))


def send(pidfd: int, number: int) -> None:
    """Signal a process; nothing to do for one that has ended."""
    if pidfd != NONE:
        try:
            _signal.pidfd_send_signal(pidfd, number)
        except ProcessLookupError:
            pass


def send_to_first_thread(pid: int, is_it: Callable[[], bool], number: int) -> None:
    """Signal the first thread of a process, and no other one of it; is_it as in open_checked()."""
    try:
        thread = _open_checked(pid, is_it, _ONE_THREAD)
    except OSError:  # an older kernel, which can be told the number alone
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
    """How many it has; 0 when it has ended."""
    try:
        return len(os.listdir(f"/proc/{pid}/task"))
    except OSError:
        return 0


def is_stopped(pid: int) -> bool:
    """Whether it stands still, or has ended and nobody has taken note."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(") ")[2][:1] in ("T", "t", "Z")
    except OSError:
        return False


def switches(pid: int) -> tuple[int, int]:
    """How often a process has given the processor away, of its own will and not. One that sleeps does so once more when
    it is made to stand still (measured on Linux 6.18)."""
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
