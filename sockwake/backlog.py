"""The queue of a server's unix socket, made as long as the one at the port in front of it.

systemd-socket-proxyd takes a full queue for a server that is not there, and drops its client: connect(2) does not wait
for a place at a unix socket. PostgreSQL's queue has two for each of max_connections, others' have five in all.
"""

from __future__ import annotations

import _socket
import ctypes
import os

_PIDFD_GETFD = 438  # of every architecture; Python 3.13 has no function for it
_LONGEST = 65535  # of which the kernel gives net.core.somaxconn


def lengthen(pid: int) -> None:
    """Give every unix socket that process pid listens on the longest queue there is; raises OSError.

    That is all a second listen(2) does, but for one thing: SO_PEERCRED of a new client's end names this process then.
    """
    process = os.pidfd_open(pid)
    try:
        for number in os.listdir(f"/proc/{pid}/fd"):
            if sock := _socket_of(process, f"/proc/{pid}/fd/{number}"):
                _lengthen(sock)
    finally:
        os.close(process)


def _lengthen(sock: _socket.socket) -> None:
    try:
        if sock.family == _socket.AF_UNIX and sock.getsockopt(_socket.SOL_SOCKET, _socket.SO_ACCEPTCONN):
            sock.listen(_LONGEST)
    finally:
        sock.close()


def _socket_of(process: int, path: str) -> _socket.socket | None:
    """Our own descriptor of the socket that the process has at path, if it is one; others come and go in a start."""
    try:
        is_socket = os.readlink(path).startswith("socket:")
    except FileNotFoundError:
        is_socket = False
    return _socket.socket(fileno=_copy(process, int(path.rpartition("/")[2]))) if is_socket else None


def _copy(process: int, number: int) -> int:
    """pidfd_getfd(2)."""
    copy = int(ctypes.CDLL(None, use_errno=True).syscall(_PIDFD_GETFD, process, number, 0))
    if copy < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return copy
