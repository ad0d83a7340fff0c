"""The main process of a program of the host, as systemd has named it to what it runs beside it."""

import os

from sockwake.errors import SockwakeError
from sockwake.system import pids


class Ended(SockwakeError):
    """The program is no more. Why it has ended is for clean_up() to say, which is told by systemd."""


def pid() -> int:
    """What systemd has told, unless it had nothing to tell any more."""
    try:
        return int(os.environ["MAINPID"])
    except KeyError:
        raise Ended("its program has ended") from None


def descriptor() -> int:
    """A descriptor of the program's process; pids.NONE when it has ended, and its number may be another's."""
    try:
        return pids.of_our_unit(pid())
    except Ended:
        return pids.NONE


def executable(pid: int) -> str:
    """The name of the file that process pid runs; raises Ended."""
    try:
        return os.path.basename(os.readlink(f"/proc/{pid}/exe")).removesuffix(" (deleted)")
    except OSError:
        raise Ended("its program has ended") from None


def began(pid: int) -> float:
    """When a process was started, in seconds since the machine was; proc(5)."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            ticks = int(file.read().rpartition(")")[2].split()[19])
    except OSError:
        raise Ended("its program has ended") from None
    return ticks / os.sysconf("SC_CLK_TCK")
