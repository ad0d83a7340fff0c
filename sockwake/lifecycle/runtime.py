"""What an instance has in /run/sockwake/NAME, and the lock that keeps its data to itself."""

from __future__ import annotations

import fcntl
import os

from sockwake.config.instance import Instance
from sockwake.errors import IN_USE, SockwakeError, reason
from sockwake.system import files, journal, locks, safe_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from sockwake.config.settings import Settings
    from sockwake.engine.container import Container

_WAKE_LOCK = 30  # seconds; a proxy holds it, shared, for a moment
_PREPARATION = 3600  # seconds to make a cluster and a container; bin/proxy knows it, too
WAKING = "waking"  # the unit's status text until the database is ready


def prepare(instance: Instance) -> None:
    """Make the instance's runtime directories and forget how its last wake ended."""
    make_directories(instance)
    told = (
        instance.ready_file,
        instance.ending_file,
        instance.handover_socket,
        instance.nobody_file,
        instance.collation_file,
    )
    for path in (*told, instance.last_visit, instance.activity):
        files.remove(path)
    forget_failure(instance)


def make_directories(instance: Instance) -> None:
    """Make the instance's runtime directories.

    /run/sockwake is root's alone: that keeps local users away from the backend's socket. The
    backend's own directory belongs to its container once that has run.
    """
    for path, mode in (
        (os.path.dirname(instance.run), 0o700),
        (instance.run, 0o755),
        (instance.backend, 0o755),
    ):
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
    where = f"{instance.backend}/{settings.socket_name}"
    if settings.backend_port:
        where = f"127.0.0.1:{settings.backend_port}"
    words = [idle, where, f"{pid}"] if pid else [idle, where]
    files.replace_volatile(instance.ready_file, f"{' '.join(words)}\n")


def announce_ports(instance: Instance, backends: Iterable[tuple[int, str]]) -> None:
    """Tell the proxies of a project to go ahead.

    backends: how many of the listening sockets, in their order, and the file that is there as soon
    as they are served (open_port()).
    """
    files.replace_volatile(instance.ready_file, _of_ports(backends))


def are_announced(instance: Instance, backends: Iterable[tuple[int, str]]) -> bool:
    """Whether it was for these ports that the proxies of a project were told to go ahead."""
    return files.text_of(instance.ready_file) == _of_ports(backends)


def _of_ports(backends: Iterable[tuple[int, str]]) -> str:
    lines = "".join(f"{count} {door}\n" for count, door in backends)
    return f"infinity ports\n{lines}"


def open_port(instance: Instance, door: str, address: str) -> None:
    """Have the proxy of one port of a project go ahead, to a server's address."""
    files.replace_volatile(f"{instance.run}/{door}", f"{address}\n")


def close_ports(instance: Instance) -> None:
    """Have no proxy of a project's ports go ahead."""
    for name in os.listdir(instance.run):
        if name.startswith("open-"):
            files.remove(f"{instance.run}/{name}")


def withdraw_ready(instance: Instance) -> None:
    """Let no proxy go ahead any more."""
    try:
        os.rename(instance.ready_file, instance.ending_file)
    except FileNotFoundError:
        pass


def is_crun(instance: Instance) -> bool:
    """Whether systemd has crun run the backend, by what the last daemon-reload read."""
    drop_in = f"/run/systemd/generator/{instance.backend_unit}.d/runtime.conf"
    return "/sockwake/container " in files.text_of(drop_in)


def lock_wake(instance: Instance) -> int:
    """Take the wake lock: the proxy waits until the returned descriptor is closed."""
    lock = os.open(instance.wake_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        locks.take(lock, "the lock of its wake", _WAKE_LOCK)
    except SockwakeError:
        os.close(lock)
        raise
    return lock


def promise_end(lock: int, settings: Settings) -> None:
    """Write into the wake lock how many seconds a wake may take, for the proxy that waits."""
    os.ftruncate(lock, 0)
    os.pwrite(lock, b"%d\n" % (_PREPARATION + 2 * settings.start_timeout), 0)


def take_data(instance: Instance, path: str) -> int:
    """Lock the data directory for this process; returns the descriptor to close.

    Makes it only while the instance's data have still to be made. Two servers on one cluster
    destroy it, and from inside its container PostgreSQL cannot see the other one. Raises
    SockwakeError when it is not there, in use, or where others than root can put another.
    """
    safe_path.require_safe(path, "data directory")
    if os.path.exists(instance.uninitialised_file):
        os.makedirs(path, 0o711, exist_ok=True)
    try:
        lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise SockwakeError(
            f"cannot use data directory {path}: {reason(error)}", "is its disk mounted?"
        ) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        if isinstance(error, BlockingIOError):
            raise SockwakeError(f"another instance is using {path}", status=IN_USE) from None
        # NFS makes it a lock that needs a descriptor open for writing (flock(2)), or has no daemon
        raise SockwakeError(
            f"cannot lock data directory {path}: {reason(error)}",
            "its file system cannot keep two servers apart, as NFS cannot: use a local one",
        ) from None
    return lock


def require_unserved(settings: Settings) -> None:
    """Raise SockwakeError (in use) when a server is at work on the cluster, whatever the lock says.

    On the wake path: every process is looked at only behind a crash, or where there is one.
    """
    if settings.has_cluster and os.path.exists(f"{settings.cluster}/postmaster.pid"):
        from sockwake.lifecycle import served

        served.require_not(settings)


def note_stop(instance: Instance, container: Container, took: float) -> str:
    """Leave for `sockwake status` that a stop ended in SIGKILL; returns the sentence, or ""."""
    if not container.was_killed(took):
        files.remove(instance.killed_file)
        return ""
    sentence = (
        f"did not end at its stop signal and was killed after {container.grace} s "
        "(stop_signal: or stop_grace_period: in compose.yaml, or init: true)"
    )
    files.replace_volatile(instance.killed_file, f"{sentence}\n")
    journal.say(sentence)
    return sentence


def lend_backend(instance: Instance, settings: Settings) -> None:
    """Give the directory of its socket to the user whose cluster it is.

    The image's entrypoint does so only when it is root.
    """
    try:
        owner = os.lstat(f"{settings.cluster}/PG_VERSION").st_uid
    except OSError:
        return
    if os.lstat(instance.backend).st_uid != owner:
        os.chown(instance.backend, owner, -1)


def leave_failure(instance: Instance, error: SockwakeError) -> None:
    """Leave why a wake failed: a sentence for clients, what was said for the administrator.

    Never raises: what has failed is cleaned up behind this, also where /run is full.
    """
    journal.aside(forget_failure, instance)
    write = files.replace_volatile
    if error.said:
        journal.aside(write, instance.failure_details, f"{error.said}\n", 0o600)
    if error.hint:
        journal.aside(write, instance.failure_hint, f"{error.hint}\n", 0o600)
    journal.aside(write, instance.failure_file, f"{error.message}\n")
    journal.aside(lambda: journal.record("failure", instance.name, "failed", why=error.whole))


def last_failure(instance: Instance) -> str:
    """Why the last wake failed, with what a program said about it, or ""."""
    message, said = (
        files.text_of(path).strip() for path in (instance.failure_file, instance.failure_details)
    )
    return ": ".join(filter(None, (message, said))) if message else ""


def forget_failure(instance: Instance) -> None:
    """Remove the reason of the last failure."""
    files.remove(instance.failure_file)
    files.remove(instance.failure_details)
    files.remove(instance.failure_hint)
