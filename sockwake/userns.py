"""The user namespace of a user's own containers, in which the user is root.

What the containers write belongs to ids that only this namespace can name (subuid(5)). In it everything that is done
about a container of the system's can be done about one of the user's: read and move its data, give them to its user,
enter its network.
"""

import os

from sockwake import netns, programs, scope
from sockwake.errors import SockwakeError

_CLONE_NEWUSER = 0x10000000  # sched.h


def enter() -> None:
    """Be root in there from now on; raises SockwakeError. There is no way back, and podman itself must not be run."""
    namespace = _open()
    if namespace < 0:
        try:
            programs.spawn(["podman", "unshare", "true"])  # makes it
        except SockwakeError as error:
            raise SockwakeError(
                f"podman has no user namespace to offer: {error.message}", "podman unshare true says why"
            ) from None
        namespace = _open()
    if namespace < 0:
        raise SockwakeError("podman has no user namespace to offer", "podman unshare true says why")
    try:
        netns.enter(namespace, _CLONE_NEWUSER)
    except OSError as error:
        raise SockwakeError(f"cannot enter podman's user namespace: {(error.strerror or str(error)).lower()}") from None
    finally:
        os.close(namespace)


def _open() -> int:
    """The namespace that podman's pause process holds, -1 if there is none yet."""
    try:
        with open(f"{scope.runtime()}/libpod/tmp/pause.pid", encoding="ascii") as file:
            path = f"/proc/{int(file.read())}/ns/user"
        if os.path.samestat(os.stat(path), os.stat("/proc/self/ns/user")):
            return -1
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (OSError, ValueError):
        return -1
