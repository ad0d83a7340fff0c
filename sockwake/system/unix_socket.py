"""Connect to a unix socket."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket


def connect(path: str, timeout: float) -> _socket.socket:
    """Connect a unix stream socket; raises OSError.

    timeout: seconds for this and for every later step on it.
    """
    import _socket  # late: 0.2 MB that the watcher needs only at its end

    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
    sock.settimeout(timeout)
    try:
        sock.connect(path)
    except BaseException:
        sock.close()
        raise
    return sock
