"""What other processes have open, and their sockets as descriptors of our own: pidfd_getfd(2), for who may trace them.

The queue of a server's unix socket, made as long as the one at the port in front of it.

systemd-socket-proxyd treats a full backlog (EAGAIN) as connection refused, and drops its client: connect(2) does not wait
for a place at a unix socket. PostgreSQL's queue has two for each of max_connections, others' have five in all.
"""

from __future__ import annotations

import _socket
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Iterator

_PIDFD_GETFD = 438  # of every architecture; Python 3.13 has no function for it
_LONGEST = 65535  # of which the kernel gives net.core.somaxconn


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


def lengthen(pid: int) -> None:
    """Give every unix socket that process pid listens on the longest queue there is; raises OSError.

    That is all a second listen(2) does, but for one thing: SO_PEERCRED of a new client's end names this process then.
    """
    for sock in sockets(pid):
        try:
            if sock.family == _socket.AF_UNIX and sock.getsockopt(
                _socket.SOL_SOCKET, _socket.SO_ACCEPTCONN
            ):
                sock.listen(_LONGEST)
        finally:
            sock.close()
