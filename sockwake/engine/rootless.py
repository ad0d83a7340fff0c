"""The user namespace of a user's own containers, in which the user is root.

What the containers write belongs to ids that only this namespace can name (subuid(5)). In it everything that is done
about a container of the system's can be done about one of the user's: read and move its data, give them to its user,
enter its network.
"""

import os

from sockwake.config import scope
from sockwake.errors import SockwakeError, reason
from sockwake.system import namespaces, pids, process

_CLONE_NEWUSER = 0x10000000  # sched.h
_PAUSES = ("catatonit", "podman")  # the second where the first is not installed


def enter() -> None:
    """Be root in there from now on; raises SockwakeError. There is no way back, and podman itself must not be run."""
    namespace = _open()
    if namespace < 0:
        try:
            process.spawn(["podman", "unshare", "true"])  # makes it
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
    """The namespace that podman's pause process holds, -1 if there is none yet."""
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
    """The user namespace of a process that had not ended when it was opened, -1 for our own or none."""
    path = f"/proc/{pid}/ns/user"
    if os.path.samestat(os.stat(path), os.stat("/proc/self/ns/user")):
        return -1
    namespace = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    if not pids.has_ended(pidfd):
        return namespace
    os.close(namespace)
    return -1


def _is_pause(pid: int) -> bool:
    """Whether a process of this user does nothing but hold podman's namespace. The file outlives it, and its number may have
    become that of another one with a namespace of its own: a browser's, a sandbox's."""
    if os.stat(f"/proc/{pid}").st_uid != os.getuid():
        return False
    return os.path.basename(os.readlink(f"/proc/{pid}/exe")).removesuffix(" (deleted)") in _PAUSES
