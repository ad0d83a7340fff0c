"""The service manager that runs us, as far as it wants to be told (sd_notify(3))."""

import os


def notify(state: str) -> None:
    """Tell it: READY=1, STATUS=, STOPPING=1."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path:
        return
    import _socket  # which the watcher does without for as long as it can

    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC)
    sock.sendto(state.encode(), "\0" + path[1:] if path.startswith("@") else path)
    sock.close()
