"""The user namespace of a user's own containers, in which the user is root.

The files of these containers belong to ids that only this namespace can name (subuid(5)). Inside
it, sockwake does the same as root does for the system's containers: read and move data, change
their owner, enter a network namespace.
"""

import os

from sockwake.config import scope
from sockwake.errors import SockwakeError, reason
from sockwake.system import namespaces, pids, process

_CLONE_NEWUSER = 0x10000000  # sched.h
_PAUSES = ("catatonit", "podman")  # podman itself, where catatonit is not installed


def enter() -> None:
    """Enter the namespace for good; raises SockwakeError. podman does not run in there."""
    namespace = _open()
    if namespace < 0:
        try:
            process.spawn(["podman", "unshare", "true"])  # makes the namespace
        except SockwakeError as error:
            raise SockwakeError(
                f"podman has no user namespace to offer: {error.message}",
                "podman unshare true says why",
            ) from None
        namespace = _open()
    if namespace < 0:
        raise SockwakeError("podman has no user namespace to offer", "podman unshare true says why")
    try:
        namespaces.enter(namespace, _CLONE_NEWUSER)
    except OSError as error:
        raise SockwakeError(f"cannot enter podman's user namespace: {reason(error)}") from None
    finally:
        os.close(namespace)


def _open() -> int:
    """A descriptor of the namespace of podman's pause process, -1 if there is none yet."""
    try:
        with open(f"{scope.runtime()}/libpod/tmp/pause.pid", encoding="ascii") as file:
            pid = int(file.read())
        pause = pids.open_checked(pid, lambda: _is_pause(pid))
        if pause == pids.NONE:
            return -1
        try:
            return _namespace_of(pid, pause)
        finally:
            pids.close(pause)
    except (OSError, ValueError):
        return -1


def _namespace_of(pid: int, pidfd: int) -> int:
    """A descriptor of a process's user namespace, -1 when it has ended or shares ours."""
    path = f"/proc/{pid}/ns/user"
    if os.path.samestat(os.stat(path), os.stat("/proc/self/ns/user")):
        return -1
    namespace = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    if not pids.has_ended(pidfd):
        return namespace
    os.close(namespace)
    return -1


def _is_pause(pid: int) -> bool:
    """Whether a process is podman's pause process, and this user's.

    The file outlives the process, whose number may be another's by now: a browser's, a sandbox's.
    """
    if os.stat(f"/proc/{pid}").st_uid != os.getuid():
        return False
    return os.path.basename(os.readlink(f"/proc/{pid}/exe")).removesuffix(" (deleted)") in _PAUSES
