"""Other processes' descriptors and sockets (pidfd_getfd(2)), and longer backlogs for them.

systemd-socket-proxyd treats a full backlog (EAGAIN) as connection refused and drops its client, as
connect(2) does not wait for a place in the queue of a unix socket. PostgreSQL's queue has two
places for each of max_connections, that of some servers has five in all.
"""

from __future__ import annotations

import _socket
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Iterator

_PIDFD_GETFD = 438  # the number on every architecture; Python 3.13 has no function for it
_LONGEST = 65535  # the kernel limits it to net.core.somaxconn


def sockets(pid: int, wanted: Container[str] | None = None) -> Iterator[_socket.socket]:
    """Copies of the sockets of process pid, for the caller to close; raises OSError.

    wanted: names of the only ones to copy, as in /proc: "socket:[INODE]".
    """
    process = os.pidfd_open(pid)
    try:
        for name, number in named(pid).items():
            if name.startswith("socket:") and (wanted is None or name in wanted):
                yield _socket.socket(fileno=_copy(process, number))
    finally:
        os.close(process)


def named(pid: int) -> dict[str, int]:
    """The descriptors of a process by their names in /proc/PID/fd; raises OSError.

    A descriptor that is closed meanwhile is left out: a server that starts opens and closes many.
    """
    found = {}
    for number in os.listdir(f"/proc/{pid}/fd"):
        try:
            found[os.readlink(f"/proc/{pid}/fd/{number}")] = int(number)
        except FileNotFoundError:
            pass
    return found


def _copy(process: int, number: int) -> int:
    import ctypes  # 4 ms, which not every wake has to pay

    copy = int(ctypes.CDLL(None, use_errno=True).syscall(_PIDFD_GETFD, process, number, 0))
    if copy < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return copy


def lengthen(pid: int) -> None:
    """Give every unix socket that process pid listens on the longest backlog; raises OSError.

    A second listen(2) has one other effect: for new clients, SO_PEERCRED names this process.
    """
    for sock in sockets(pid):
        try:
            is_unix = sock.family == _socket.AF_UNIX
            if is_unix and sock.getsockopt(_socket.SOL_SOCKET, _socket.SO_ACCEPTCONN):
                sock.listen(_LONGEST)
        finally:
            sock.close()
