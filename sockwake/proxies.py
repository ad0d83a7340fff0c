"""The end of a proxy whose backend is gone, so that the next client wakes everything."""

import os

from sockwake import scope
from sockwake.instance import Instance

_HANGUP = 1  # SIGHUP; the module signal costs a millisecond


def end(instance: Instance) -> None:
    """End it before it takes another client, who would be led to nobody.

    With a signal and not a stop job: a job would also cancel the start that the next client has already asked for. With
    SIGHUP, which the proxy does not catch. And found in its cgroup: systemctl takes a hundred times as long.
    """
    try:
        for pid in _processes(instance):
            os.kill(pid, _HANGUP)
    except OSError:  # it has just ended, or an administrator has put it into another slice
        from sockwake import systemctl

        systemctl.signal(instance.proxy_unit, "HUP")


def _processes(instance: Instance) -> list[int]:
    """The processes of the proxy's unit. Its slice is in the unit file, beside that of the backend, whose cgroup is ours."""
    with open("/proc/self/cgroup", encoding="utf-8") as file:
        ours = next(line[3:].rstrip("\n") for line in file if line.startswith("0::"))
    above = os.path.dirname(os.path.dirname(ours))
    theirs = f"{above}/{'app' if scope.is_user() else 'system'}-sockwake.slice/{instance.proxy_unit}"
    with open(f"/sys/fs/cgroup{theirs}/cgroup.procs", encoding="utf-8") as file:
        return [int(line) for line in file]
