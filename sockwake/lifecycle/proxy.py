"""The end of a proxy whose backend is gone, so that the next client wakes everything."""

import _signal  # type: ignore  # the typeshed has no stub for it
import os

from sockwake.config import scope
from sockwake.config.instance import Instance
from sockwake.errors import SockwakeError
from sockwake.system import pids, process

_SERVES = "systemd-socket-"  # what proc(5) has in comm of systemd-socket-proxyd: 15 characters
_ELSEWHERE = 'systemctl "$0" kill --kill-whom=main --signal=SIGHUP "$1" 2>/dev/null || :'  # there may be none


def hang_up(instance: Instance, *, only_serving: bool = False) -> None:
    """End it before it accepts a client for which there is no backend.

    With a signal and not a stop job: a job would also cancel the start that the next client has already asked for. With
    SIGHUP, which the proxy does not catch. And found in its cgroup: systemctl takes a hundred times as long.
    only_serving: not one that still waits for the backend, or tells its clients why there is none.
    """
    try:
        for pid in _processes(instance):
            if not only_serving or _serves(pid):
                _hang_up(pid, instance)
    except OSError:  # it has ended, or an administrator has put it into another slice
        if not only_serving:
            _hang_up_elsewhere(instance)


def _hang_up(pid: int, instance: Instance) -> None:
    """Signal a process of the proxy's. Its number may have been given to another one since it was read."""
    try:
        pidfd = pids.open_checked(pid, lambda: pid in _processes(instance))
    except OSError:
        return  # it has just ended
    pids.send(pidfd, _signal.SIGHUP)
    pids.close(pidfd)


def _hang_up_elsewhere(instance: Instance) -> None:
    """The same through systemd, which knows where the unit's processes are."""
    whose = "--user" if scope.is_user() else "--system"
    try:
        process.spawn(["sh", "-c", _ELSEWHERE, whose, instance.proxy_unit])
    except SockwakeError:
        pass  # no program can be run: whatever is wrong, the rest of the end must not wait for it


def _serves(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().startswith(_SERVES)
    except OSError:
        return False


def _processes(instance: Instance) -> list[int]:
    """The processes of the proxy's unit. Its slice is in the unit file, beside that of the backend, whose cgroup is ours."""
    above = os.path.dirname(os.path.dirname(pids.cgroup(os.getpid())))
    theirs = (
        f"{above}/{'app' if scope.is_user() else 'system'}-sockwake.slice/{instance.proxy_unit}"
    )
    with open(f"/sys/fs/cgroup{theirs}/cgroup.procs", encoding="utf-8") as file:
        return [int(line) for line in file]
