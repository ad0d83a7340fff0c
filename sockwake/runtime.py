"""What an instance has in /run/sockwake/NAME, and the lock that keeps its data to itself."""

from __future__ import annotations

import fcntl
import os

from sockwake import trust
from sockwake.errors import IN_USE, SockwakeError
from sockwake.instance import Instance

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockwake.settings import Settings


def prepare(instance: Instance) -> None:
    """Make the instance's runtime directories and forget how its last wake ended."""
    make_directories(instance)
    told = (instance.ready_file, instance.ending_file, instance.failure_file, instance.door, instance.nobody_file)
    for path in (*told, instance.last_visit, instance.activity):
        remove(path)


def make_directories(instance: Instance) -> None:
    """Make the instance's runtime directories.

    /run/sockwake is closed to everyone but root: that is what keeps local users away from the backend's
    socket. The backend's own directory belongs to its container once that has run.
    """
    for path, mode in ((os.path.dirname(instance.run), 0o700), (instance.run, 0o755), (instance.backend, 0o755)):
        try:
            os.mkdir(path, mode)
        except FileExistsError:
            if path == instance.backend:
                break
        os.chmod(path, mode)


def announce_ready(instance: Instance, settings: Settings, pid: int = 0) -> None:
    """Tell the proxy to go ahead, how long to stay, and where the backend is.

    pid: a process whose network the proxy has to enter by itself.
    """
    idle = "infinity" if settings.idle == float("inf") else f"{settings.idle:.0f}"
    where = (
        f"127.0.0.1:{settings.backend_port}" if settings.backend_port else f"{instance.backend}/{settings.socket_name}"
    )
    replace(instance.ready_file, f"{idle} {where}{f' {pid}' if pid else ''}\n")


def withdraw_ready(instance: Instance) -> None:
    """Have no proxy go ahead any more."""
    try:
        os.rename(instance.ready_file, instance.ending_file)
    except FileNotFoundError:
        pass


def lock_wake(instance: Instance) -> int:
    """Hold the proxy back for as long as the returned descriptor is open; whatever ends this process opens it."""
    lock = os.open(instance.wake_lock, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
    fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def take_data(instance: Instance, path: str) -> int:
    """Take the data directory for this process; returns the descriptor to close.

    It is made if the instance's data have still to be made; any other one is missed, not made. Two servers on one
    cluster destroy it, and from inside its container PostgreSQL cannot see the other one.
    Raises SockwakeError when somebody else has it or could lead it elsewhere, or it is not there.
    """
    trust.require_way(path, "data directory")
    if os.path.exists(instance.uninitialised_file):
        os.makedirs(path, 0o711, exist_ok=True)
    try:
        lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise SockwakeError(
            f"cannot use data directory {path}: {(error.strerror or str(error)).lower()}", "is its disk mounted?"
        ) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise SockwakeError(f"another instance is using {path}", status=IN_USE) from None
    return lock


def remove(path: str) -> None:
    """Unlink path if it is there."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def replace(path: str, text: str) -> None:
    """Write path whole or not at all; it lives in /run, so there is nothing to sync."""
    with open(f"{path}.new", "w", encoding="utf-8") as file:
        file.write(text)
    os.rename(f"{path}.new", path)
