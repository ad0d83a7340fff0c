"""The mounts of a container: an engine's own, and a service's binds and tmpfs."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sockwake.oci.rootfs import resolved

Mount = dict[str, Any]

_TMPFS = ("nosuid", "noexec", "nodev")
FILES = ("hosts", "hostname", "resolv.conf")  # in /etc
# as the images of servers have them; programs may be run from none
SCRATCH = {"/tmp": ("mode=1777",), "/var/tmp": ("mode=1777",), "/run": ("mode=755",)}
_FLAGS = {
    os.ST_RDONLY: "ro",
    os.ST_NOSUID: "nosuid",
    os.ST_NODEV: "nodev",
    os.ST_NOEXEC: "noexec",
    os.ST_NOATIME: "noatime",
    os.ST_NODIRATIME: "nodiratime",
    os.ST_RELATIME: "relatime",
}
_SHM = 64 * 1024 * 1024  # bytes


def engine_s(shm: int) -> list[Mount]:
    """What every container has. shm: bytes of /dev/shm, 0 for the usual."""
    pts = ("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5")
    return [
        _mount("/proc", "proc", *_TMPFS),
        _mount("/dev", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
        _mount("/dev/pts", "devpts", *pts),
        _mount("/sys", "sysfs", *_TMPFS, "ro"),
        _mount("/sys/fs/cgroup", "cgroup", "ro", *_TMPFS),
        _mount("/dev/mqueue", "mqueue", *_TMPFS),
        _mount("/dev/shm", "tmpfs", *_TMPFS, "mode=1777", f"size={shm or _SHM}", source="shm"),
    ]


def files(made: Collection[str], folder: str) -> list[Mount]:
    """/etc/hosts, hostname and resolv.conf.

    made: those of them that are in the bundle's folder; of the others the container has the
    host's, if there is one.
    """
    sources = {each: f"{folder}/{each}" if each in made else f"/etc/{each}" for each in FILES}
    return [
        bind(source, f"/etc/{each}", writable=False)
        for each, source in sources.items()
        if each in made or os.path.exists(source)
    ]


def bind(source: str, target: str, *, writable: bool = True, propagation: str = "") -> Mount:
    """A directory or file of the host's, with all that is mounted below it.

    Read-only is all of it, as in engines since 2024, unless mounts are to propagate.
    """
    spread = propagation or "rprivate"
    recursive = spread == "rprivate"
    options = [] if writable else ["ro", "rro"] if recursive else ["ro"]
    return {
        "destination": target,
        "type": "bind",
        "source": source,
        "options": [
            *("rbind" if spread.startswith("r") else "bind", spread),
            *_flags(source),
            *options,
        ],
    }


def _flags(source: str) -> list[str]:
    """How the file system that a path of the host is on, or will be on, is mounted.

    crun mounts a bind with no flag but its options, where others leave it as its source is.
    """
    while True:
        try:
            flags = os.statvfs(source).f_flag
        except OSError:
            if source == os.path.dirname(source):
                return []
            source = os.path.dirname(source)
        else:
            return [name for flag, name in _FLAGS.items() if flags & flag]


def memory(target: str, *options: str) -> Mount:
    """An empty file system in memory. crun does not let exec undo a noexec: it is left out."""
    usual = [each for each in _TMPFS if each.removeprefix("no") not in options]
    return _mount(target, "tmpfs", *usual, *options)


def of_service(service: dict[str, Any]) -> list[Mount]:
    """The binds and tmpfs of a service, which have nothing that why_engine() objects to."""
    made = []
    for each in service.get("volumes") or ():
        if each["type"] == "bind":
            propagation = (each.get("bind") or {}).get("propagation") or ""
            writable = not each.get("read_only")
            made.append(
                bind(each["source"], each["target"], writable=writable, propagation=propagation)
            )
        else:
            tmpfs = each.get("tmpfs") or {}
            options = [f"size={tmpfs['size']}"] if tmpfs.get("size") else []
            options += [f"mode={tmpfs['mode']:o}"] if tmpfs.get("mode") else []
            made.append(
                memory(each["target"], *options, *(["ro"] if each.get("read_only") else ()))
            )
    for each in service.get("tmpfs") or ():
        target, _, said = each.partition(":")
        made.append(memory(target, *filter(None, said.split(","))))
    return made


def ordered(rootfs: str, mounts: Sequence[Mount]) -> list[Mount]:
    """mounts as the runtime is to make them: each where its links lead, what is above it before.

    Of two at one place the later one counts.
    """
    made: dict[str, Mount] = {}
    for each in sorted(mounts, key=lambda mount: _depth(mount["destination"])):
        place = resolved(rootfs, each["destination"], made)
        made.pop(place, None)
        made[place] = each | {"destination": place}
    return sorted(made.values(), key=lambda mount: _depth(mount["destination"]))


def unmounted(service: Mapping[str, Any], image: Mapping[str, Any]) -> list[str]:
    """The paths at which an image keeps data, and a service mounts nothing."""
    targets = {os.path.normpath(each["target"]) for each in service.get("volumes") or ()}
    targets |= {os.path.normpath(each.partition(":")[0]) for each in service.get("tmpfs") or ()}
    return [path for path in image.get("Volumes") or () if os.path.normpath(path) not in targets]


def missing(root: str, mounts: Sequence[Mount]) -> list[Mount]:
    """Those of ordered() mounts whose mount points the image does not have.

    crun makes them in the image, as a directory or a file, where it may.
    """
    made: list[str] = []
    lacking = []
    for each in mounts:
        place = each["destination"]
        if not (f"{place}/".startswith(tuple(made)) or os.path.lexists(root + place)):
            lacking.append(each)
        if each["type"] != "bind":
            made.append(f"{place}/")
    return lacking


def _depth(path: str) -> int:
    return len([part for part in path.split("/") if part])


def _mount(target: str, kind: str, *options: str, source: str = "") -> Mount:
    return {"destination": target, "type": kind, "source": source or kind, "options": list(options)}
