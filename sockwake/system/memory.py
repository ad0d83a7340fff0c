"""Memory of the processes of a cgroup (v2), as the kernel accounts for it.

Source: memory.stat in the kernel's "Control Group v2". "file" there is the page cache with shared
memory in it, which is as much a program's own as what it has allocated. Where the kernel does not
account for it, the processes are asked (proc_pid_smaps(5)), and of the page cache nothing is known.
"""

from __future__ import annotations

from sockwake.system import files, pids

_CGROUPS = "/sys/fs/cgroup"
_KB = 1024  # bytes; the kernel's kB
_OF_A_PROCESS = ("Pss_Anon:", "Pss_Shmem:")


class Memory:
    """In bytes. own: gone when the processes have ended. cache: of files, None when not known."""

    __slots__ = ("cache", "own")

    def __init__(self, own: int, cache: int | None) -> None:
        self.own = own
        self.cache = cache

    def __add__(self, other: Memory) -> Memory:
        is_known = self.cache is not None and other.cache is not None
        cache = (self.cache or 0) + (other.cache or 0) if is_known else None
        return Memory(self.own + other.own, cache)


def of(pid: int) -> Memory | None:
    """What the cgroup of a process has; None when it has ended, or nothing is told of it."""
    return parse(stat_of(pid))


def of_pidfd(pidfd: int) -> Memory | None:
    """The same by a descriptor (pidfd_open(2)); None for pids.NONE, too."""
    if pidfd == pids.NONE:
        return None
    lines = files.text_of(f"/proc/self/fdinfo/{pidfd}").splitlines()
    found = [line.split()[1] for line in lines if line.startswith("Pid:")]
    return of(int(found[0])) if found and found[0].isdigit() else None


def stat_of(pid: int) -> str:
    """memory.stat of the cgroup of a process, or what its processes have as a line of that."""
    group = pids.cgroup(pid)
    if not group:
        return ""
    if stat := files.text_of(f"{_CGROUPS}{group}/memory.stat"):
        return stat
    members = files.text_of(f"{_CGROUPS}{group}/cgroup.procs").split()
    own = sum(_of_process(member) for member in members)
    return f"anon {own}\n" if own else ""


def _of_process(pid: str) -> int:
    """Its allocated memory, and its share of what it shares with others."""
    lines = files.text_of(f"/proc/{pid}/smaps_rollup").splitlines()
    return sum(int(line.split()[1]) * _KB for line in lines if line.startswith(_OF_A_PROCESS))


def parse(text: str) -> Memory | None:
    """Memory by the lines "anon N", "file N" and "shmem N" of memory.stat; None without the first.

    bin/note-memory writes these.
    """
    found = {}
    for line in text.splitlines():
        key, _, number = line.partition(" ")
        if number.isdigit():
            found[key] = int(number)
    if "anon" not in found:
        return None
    shared = found.get("shmem", 0)
    cache = max(found["file"] - shared, 0) if "file" in found else None
    return Memory(found["anon"] + shared, cache)


def noted(path: str) -> Memory | None:
    """What bin/note-memory, or a check, has written; None when nothing."""
    return parse(files.text_of(path))
