"""The main process of a unit whose program systemd itself runs, for commands of that unit."""

import os
import time

from sockwake.errors import SockwakeError
from sockwake.system import pids

_MOUNTS_GONE = 10  # seconds, at most, for a process that ends to leave its mount namespace
_NOT_YET_THE_PROGRAM = ("systemd", "systemd-executor")  # what it runs until that is set up


class Ended(SockwakeError):
    """The program has ended; systemd tells ExecStopPost= why."""


def pid() -> int:
    """The process id from MAINPID=, systemd.exec(5); raises Ended when there was none any more."""
    try:
        return int(os.environ["MAINPID"])
    except KeyError:
        raise Ended("its program has ended") from None


def descriptor() -> int:
    """A descriptor of the program's process (pidfd_open(2)); pids.NONE when it has ended."""
    try:
        return pids.of_our_unit(pid())
    except Ended:
        return pids.NONE


def await_end() -> None:
    """Return once systemd has been told of its end.

    A process that ends gives up its memory first, by which executable() knows it, and its mount
    namespace later: meanwhile a stop would be taken for what has ended it.
    """
    server = descriptor()
    if server != pids.NONE:
        pids.has_ended(server, _MOUNTS_GONE)
        pids.close(server)


def is_set_up(pid: int) -> bool:
    """Whether process pid is no part of systemd any more, but in its sandbox; raises Ended."""
    return executable(pid) not in _NOT_YET_THE_PROGRAM


def executable(pid: int) -> str:
    """The name of the file that process pid runs; raises Ended."""
    try:
        return os.path.basename(os.readlink(f"/proc/{pid}/exe")).removesuffix(" (deleted)")
    except OSError:
        raise Ended("its program has ended") from None


def name(pid: int) -> str:
    """What process pid calls itself, proc_pid_comm(5); raises Ended.

    Of crun, which runs from a copy that has no path, this is what tells it.
    """
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().rstrip("\n")
    except OSError:
        raise Ended("its program has ended") from None


def age(pid: int) -> float:
    """How many seconds ago process pid was started, proc(5); raises Ended.

    By the kernel's clock, as its start: /proc/uptime may be a container's own (lxcfs).
    """
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            ticks = int(file.read().rpartition(")")[2].split()[19])
    except OSError:
        raise Ended("its program has ended") from None
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
