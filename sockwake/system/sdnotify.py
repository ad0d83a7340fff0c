"""The service manager that runs us, as far as it wants to be told (sd_notify(3)), and the signals that ask for an end."""

import _signal  # type: ignore  # the typeshed has no stub for it
import os

# systemd.kill(5), and whatever else a process is ended with by hand; systemd calls an end by most of them a success, so
# that nothing behind it would be cleaned up (systemd.service(5), SuccessExitStatus=)
ENDING = frozenset((_signal.SIGTERM, _signal.SIGHUP, _signal.SIGINT, _signal.SIGQUIT))


def put_off_ending() -> None:
    """Have those signals wait, for who takes them off the mask, or for the end."""
    _signal.pthread_sigmask(_signal.SIG_BLOCK, ENDING)


def notify(state: str) -> None:
    """Tell it: READY=1, STATUS=, STOPPING=1."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path:
        return
    import _socket  # which the watcher does without for as long as it can

    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC)
    sock.sendto(state.encode(), "\0" + path[1:] if path.startswith("@") else path)
    sock.close()
