"""End a proxy that has no backend any more, so that the next client wakes both."""

import _signal  # type: ignore  # the typeshed has no stub for it
import os

from sockwake.config import forwarding, scope
from sockwake.config.instance import Instance
from sockwake.errors import SockwakeError
from sockwake.system import pids, process

_SERVES = "systemd-socket-"  # what proc(5) has in comm of systemd-socket-proxyd: 15 characters
# the unit may have no process
_ELSEWHERE = """for signal in SIGHUP SIGCONT; do
    systemctl "$0" kill --kill-whom=main --signal=$signal "$1" 2>/dev/null || :
done"""


def hang_up(instance: Instance, *, only_serving: bool = False) -> None:
    """End the proxy before it accepts a client for which there is no backend.

    By a signal and not a stop job, which would also cancel the start that the next client has asked
    for: by SIGHUP, which the proxy does not catch, and SIGCONT, behind which also one takes it that
    was left stopped by what was killed. Found in its cgroup: systemctl takes a hundred times as
    long.
    only_serving: not while it waits for the backend, or tells its clients why there is none.
    One that leads its clients elsewhere has no use for the backend, and is left alone.
    """
    if forwarding.is_there(instance):
        return
    try:
        for pid in _processes(instance):
            if not only_serving or _serves(pid):
                _hang_up(pid, instance)
    except OSError:  # it has ended, or is in another slice, by an administrator's drop-in
        if not only_serving:
            _hang_up_elsewhere(instance)


def _hang_up(pid: int, instance: Instance) -> None:
    """Signal process pid, if it still is one of the proxy's when its descriptor is open."""
    try:
        pidfd = pids.open_checked(pid, lambda: pid in _processes(instance))
    except OSError:
        return  # it has just ended
    for number in (_signal.SIGHUP, _signal.SIGCONT):
        pids.send(pidfd, number)
    pids.close(pidfd)


def _hang_up_elsewhere(instance: Instance) -> None:
    """Signal the proxy's main process through systemd, which knows where it is."""
    manager = "--user" if scope.is_user() else "--system"
    try:
        process.spawn(["sh", "-c", _ELSEWHERE, manager, instance.proxy_unit])
    except SockwakeError:
        pass  # no program can be run; the rest of the end must not wait for that


def _serves(pid: int) -> bool:
    """Whether the process carries connections already."""
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().startswith(_SERVES)
    except OSError:
        return False


def _processes(instance: Instance) -> list[int]:
    """The processes of the proxy's unit: its slice is beside the backend's, which is ours."""
    above = os.path.dirname(os.path.dirname(pids.cgroup(os.getpid())))
    proxies = "app-sockwake.slice" if scope.is_user() else "system-sockwake.slice"
    procs = f"/sys/fs/cgroup{above}/{proxies}/{instance.proxy_unit}/cgroup.procs"
    with open(procs, encoding="utf-8") as file:
        return [int(line) for line in file]
