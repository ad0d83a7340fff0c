"""The memory of a control group (cgroup v2), as the kernel counts it, page cache included."""

from __future__ import annotations

from sockwake.system import files, pids

_MOUNT = "/sys/fs/cgroup"


def memory(cgroup: str) -> int | None:
    """Bytes of a cgroup and all below it; None when it is gone or its memory is not counted.

    cgroup: as in /system.slice/docker-ID.scope.
    """
    text = files.text_of(f"{_MOUNT}{cgroup}/memory.current").strip() if cgroup else ""
    return int(text) if text.isdigit() else None


def of_container(pid: int, container: str) -> str:
    """The cgroup of a container, by its process 1 and its ID; "" when it has ended.

    An init in the container may have moved itself into a cgroup below that.
    """
    cgroup = pids.cgroup(pid) if pid > 0 else ""
    parts = cgroup.split("/")
    last = next(
        (n for n, part in enumerate(parts, 1) if container and container in part), len(parts)
    )
    return "/".join(parts[:last])
