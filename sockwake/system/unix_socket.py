"""Connecting to a unix socket."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket


def connect(path: str, timeout: float) -> _socket.socket:
    """A connected unix stream socket; raises OSError. timeout: seconds for this and every later step on it."""
    import _socket  # 0.2 MB, which the watcher does without until it stops its container

    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
    sock.settimeout(timeout)
    try:
        sock.connect(path)
    except BaseException:
        sock.close()
        raise
    return sock
