"""What other processes have open, and their sockets as descriptors of our own: pidfd_getfd(2), for who may trace them."""

from __future__ import annotations

import _socket
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Iterator

_PIDFD_GETFD = 438  # of every architecture; Python 3.13 has no function for it


def sockets(pid: int, wanted: Container[str] | None = None) -> Iterator[_socket.socket]:
    """The sockets of process pid, to be closed again; raises OSError.

    wanted: only these, as /proc names them: "socket:[INODE]".
    """
    process = os.pidfd_open(pid)
    try:
        for name, number in named(pid).items():
            if name.startswith("socket:") and (wanted is None or name in wanted):
                yield _socket.socket(fileno=_copy(process, number))
    finally:
        os.close(process)


def named(pid: int) -> dict[str, int]:
    """The descriptors of a process by what they are, as /proc names it; raises OSError.

    One that is closed meanwhile is left out, and no other with it: a server that starts opens and closes many.
    """
    found = {}
    for number in os.listdir(f"/proc/{pid}/fd"):
        try:
            found[os.readlink(f"/proc/{pid}/fd/{number}")] = int(number)
        except FileNotFoundError:
            pass
    return found


def _copy(process: int, number: int) -> int:
    import ctypes  # 4 ms, which the wake of a program on the host's network needs not pay

    copy = int(ctypes.CDLL(None, use_errno=True).syscall(_PIDFD_GETFD, process, number, 0))
    if copy < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return copy
