"""The user namespace of a user's own containers, in which the user is root.

The files of these containers belong to ids that only this namespace can name (subuid(5)). Inside
it, sockwake does the same as root does for the system's containers: read and move data, change
their owner, enter a network namespace.
"""

from __future__ import annotations

import os

from sockwake.config import scope
from sockwake.errors import SockwakeError, reason
from sockwake.system import files, namespaces, pids, process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_CLONE_NEWUSER = 0x10000000  # sched.h
_FIRST_ID, _MANY = 100_000, 65_536  # SUB_UID_MIN and SUB_UID_COUNT of login.defs(5)
_CATATONIT, _PODMAN = "catatonit", "podman"


def enter() -> None:
    """Enter the namespace for good; raises SockwakeError. podman does not run in there."""
    namespace = _open()
    if namespace < 0:
        try:
            process.spawn(["podman", "unshare", "true"], quietly=True)  # makes the namespace
        except SockwakeError as error:
            raise SockwakeError(
                f"podman has no user namespace to offer: {error.message}",
                error.hint or "podman unshare true says why",
                said=error.said,
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


def require_ids() -> None:
    """Raise SockwakeError unless the namespace, which we have entered, has more than one user.

    Without subordinate ids podman goes on, and every image fails whose files are of several users,
    in the middle of its unpacking.
    """
    lines = files.text_of("/proc/self/uid_map").splitlines()
    if sum(int(line.split()[2]) for line in lines) > 1:
        return
    import pwd

    name = pwd.getpwuid(scope.UID).pw_name
    first = max(_first_free_id("/etc/subuid"), _first_free_id("/etc/subgid"))
    ids = f"{first}-{first + _MANY - 1}"
    raise SockwakeError(
        f"user '{name}' has no subordinate ids, which the users in its containers would have",
        f"usermod --add-subuids {ids} --add-subgids {ids} {name}, as root; "
        f"then podman system migrate, as {name}",
    )


def _first_free_id(path: str) -> int:
    """The first id that no user has by a file of subuid(5)."""
    ends = [_FIRST_ID]
    for line in files.text_of(path).splitlines():
        _, _, ids = line.partition(":")
        first, _, count = ids.partition(":")
        if first.isdecimal() and count.isdecimal():
            ends.append(int(first) + int(count))
    return max(ends)


def _open() -> int:
    """A descriptor of the namespace of podman's containers, -1 if there is none yet.

    Of its API, while that runs, before its pause process's: when this has ended, by `podman system
    migrate` or a signal, another comes, and what the API starts could not be looked at from there.
    """
    user = os.getuid()
    unit = f"/user.slice/user-{user}.slice/user@{user}.service/app.slice/podman.service"
    for pid in map(int, files.text_of(f"/sys/fs/cgroup{unit}/cgroup.procs").split()):
        if (namespace := _open_of(pid, lambda pid: _is_in(pid, unit))) >= 0:
            return namespace
    try:
        pause = int(files.text_of(f"{scope.runtime()}/libpod/tmp/pause.pid"))
    except ValueError:
        return -1
    return _open_of(pause, _is_pause)


def _open_of(pid: int, is_it: Callable[[int], bool]) -> int:
    """A descriptor of the user namespace of a process, -1 when it has ended or shares ours.

    is_it: tells whether pid is the process that is meant, and may raise OSError.
    """
    try:
        pidfd = pids.open_checked(pid, lambda: is_it(pid))
        if pidfd == pids.NONE:
            return -1
        try:
            return _namespace_of(pid, pidfd)
        finally:
            pids.close(pidfd)
    except OSError:
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


def _is_in(pid: int, unit: str) -> bool:
    """Whether a process is a podman of a unit, by its cgroup."""
    return pids.cgroup(pid) == unit and _runs(pid, _PODMAN)


def _is_pause(pid: int) -> bool:
    """Whether a process is podman's pause process, and this user's.

    The file outlives the process, whose number may be another's by now: a browser's, a sandbox's.
    """
    if os.stat(f"/proc/{pid}").st_uid != os.getuid():
        return False
    return _runs(pid, _CATATONIT, _PODMAN)  # itself, where catatonit is not installed


def _runs(pid: int, *programs: str) -> bool:
    """Whether a process runs one of these programs."""
    path = os.readlink(f"/proc/{pid}/exe")
    return os.path.basename(path).removesuffix(" (deleted)") in programs
