"""What there is of an instance to back up, and what tells whether it has changed since."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from sockwake.admin.words import listed
from sockwake.config import scope
from sockwake.config.instance import Instance
from sockwake.config.settings import Settings
from sockwake.engine import belongings
from sockwake.engine.api import Engine
from sockwake.engine.resources import engine_with_volumes
from sockwake.errors import SockwakeError
from sockwake.lifecycle import backups
from sockwake.oci import bundle, layers
from sockwake.postgres import cluster, control_file
from sockwake.system import safe_path

_MOUNTED_AT = "/var/lib/postgresql"  # in the container of a PostgreSQL, its data directory


class NothingToBackUpError(SockwakeError):
    """An instance has no data yet."""


@dataclass(frozen=True)
class Contents:
    """Where the data of an instance are. data: "" for none. volumes: name to directory."""

    data: str
    volumes: dict[str, str]

    @property
    def places(self) -> list[str]:
        return [*([self.data] if self.data else []), *self.volumes.values()]


def find(instance: Instance, settings: Settings) -> Contents:
    """What there is to copy; raises NothingToBackUpError, and SockwakeError when some is gone.

    And for a link that leads out of the tree, whose data are another system's.
    """
    safe_path.require_in_tree(instance.root, settings.data)
    data = ""
    if settings.data and os.path.isdir(settings.data):
        data = os.path.realpath(settings.data)
    is_made = not os.path.exists(instance.uninitialised_file)
    if settings.has_cluster and not is_made:
        raise NothingToBackUpError(
            f"instance '{instance.name}' has no data yet: it has never been awake"
        )
    if settings.has_cluster:
        cluster.require_there(settings)
    found = Contents(data, _volumes(instance, settings))
    _require_not_emptied(instance, settings, found)
    if not found.places:
        raise NothingToBackUpError(f"instance '{instance.name}' keeps no data")
    return found


def _require_not_emptied(instance: Instance, settings: Settings, found: Contents) -> None:
    """Raise SockwakeError for what has no file, or is gone, and has some in the last good backup.

    Else a disk that is not mounted would be taken for data, and the backups of these expire.
    """
    if not (last := backups.last_good(instance)):
        return
    had = {last.data: ("data directory", found.data or settings.data)}
    is_as_before = last.facts.get("runtime") == settings.runtime  # else its data have moved
    for name in sorted(os.listdir(last.volumes)) if os.path.isdir(last.volumes) else []:
        if name not in found.volumes and (not is_as_before or _is_there(instance, settings, name)):
            continue  # it is no longer mounted
        had[f"{last.volumes}/{name}"] = f"volume {name}", found.volumes.get(name, "")
    for before, (what, now) in had.items():
        if not _has_entries(before):
            continue
        if not now:
            raise SockwakeError(
                f"instance '{instance.name}' has no {what}, and its backup of {last.stamp} has "
                "files of it",
                f"if it is meant to have none, move {backups.directory(instance)} away",
            )
        if not _has_entries(now):
            raise SockwakeError(
                f"{now} has no file, and it has some in the backup of {last.stamp}",
                "is its disk mounted? If it is meant to be empty, put an empty file there",
            )


def _has_entries(path: str) -> bool:
    return os.path.isdir(path) and bool(os.listdir(path))


def _volumes(instance: Instance, settings: Settings) -> dict[str, str]:
    """The volumes of its image or its project, each with the directory that it is.

    Also those that a project had before. Raises SockwakeError where nothing tells which these are.
    """
    found = {os.path.basename(path): path for path in layers.has_volumes(instance)}
    for path in found.values():
        safe_path.require_in_tree(instance.root, path)
    if not (engine := engine_with_volumes(instance, settings)):
        return found
    mounted = belongings.mounted_volumes(engine, instance)
    if mounted is None and settings.is_project:
        raise SockwakeError(
            f"there are no containers of '{instance.name}', which tell what volumes it has",
            f"{scope.command('sockwake wake', instance.name)} makes them",
        )
    names = {*(mounted or ()), *belongings.volumes(engine, instance)}
    return found | {name: place_of(engine, name) for name in sorted(names)}


def _is_there(instance: Instance, settings: Settings, volume: str) -> bool:
    """Whether its engine still has a volume of this name."""
    engine = engine_with_volumes(instance, settings)
    try:
        return bool(engine and place_of(engine, volume))
    except SockwakeError:
        return False


def place_of(engine: Engine, volume: str) -> str:
    """The directory of a volume of an engine's; raises SockwakeError."""
    for each in belongings.listed(engine, belongings.VOLUMES, {"name": [volume]}):
        place = str(each.get("Mountpoint") or "")
        if each["Name"] == volume and os.path.isdir(place):
            return place
    raise SockwakeError(
        f"the data of volume {volume} are not in a directory of this machine",
        "back it up where its driver keeps it",
    )


def require_whole(settings: Settings) -> None:
    """Raise SockwakeError for a cluster of which a part is outside of its data directory."""
    if not settings.has_cluster:
        return
    outside = ["pg_wal"] if os.path.islink(f"{settings.cluster}/pg_wal") else []
    links = f"{settings.cluster}/pg_tblspc"
    for name in sorted(os.listdir(links)) if os.path.isdir(links) else []:
        to = os.readlink(f"{links}/{name}") if os.path.islink(f"{links}/{name}") else ""
        if to and not (settings.is_container and to.startswith(f"{_MOUNTED_AT}/")):
            outside.append(to)
    if outside:
        raise SockwakeError(
            f"the cluster has {listed(outside)} outside of its data directory {settings.data}",
            "--dump backs up all of its databases",
        )


def token(instance: Instance, contents: Contents) -> str:
    """What changes with every change of an instance's files and data, while it sleeps.

    Made of names, sizes, times and modes alone: nothing is read.
    """
    found = hashlib.sha256()
    for top in (instance.etc, *contents.places):
        for line in _lines(top):
            found.update(line.encode(errors="surrogateescape"))
    return found.hexdigest()


def _lines(top: str) -> Iterator[str]:
    """One line for each entry below a directory, in an order that is always the same.

    A directory has no times: they change with files that come and go while it is awake.
    """
    for at, folders, names in os.walk(top):
        folders.sort()
        for name in sorted((*folders, *names)):
            known = os.lstat(f"{at}/{name}")
            path = f"{at}/{name}".removeprefix(top)
            if stat.S_ISDIR(known.st_mode):
                yield f"{path}/\0{known.st_mode} {known.st_uid} {known.st_gid}\n"
            else:
                yield f"{path}\0{known.st_size} {known.st_mtime_ns} {known.st_ctime_ns}\n"


def facts(instance: Instance, settings: Settings) -> dict[str, object]:
    """What a status says of an instance."""
    known: dict[str, object] = {
        "instance": instance.name,
        "kind": settings.kind,
        "runtime": settings.runtime,
        "version": settings.version,
        "image": settings.image,
        "image_digest": bundle.image_of(instance) if settings.is_bundled else "",
        "data": settings.data.removeprefix(instance.root),
        "is_private": "/private/" in os.path.realpath(settings.data) if settings.data else False,
    }
    if settings.has_cluster and (control := control_file.read(settings.cluster)):
        known |= {"system_identifier": str(control.system), "checkpoint": control.checkpoint}
        known["is_shut_down"] = control.is_shut_down
    return known
