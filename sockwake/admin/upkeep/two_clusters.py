"""Two clusters of different major versions in one data directory, of which one is served.

A cluster of 18 and later is in a directory of its version, and stays there. One before 18 is the
data directory itself: it stays there beside a later one, and is moved into a directory of its
version, as a later one has, when another one before 18 is to be served.
"""

from __future__ import annotations

import os
from contextlib import suppress

from sockwake.config.settings import pgdata
from sockwake.errors import SockwakeError
from sockwake.postgres import cluster
from sockwake.system import deletion, files

WORK = ".upgrading"  # in the data directory, while the other cluster is made
NEW = f"{WORK}/new"
_PROOF = "PG_VERSION"
_PART = "moving"  # in the directory of a version: a cluster that is still being moved there
# of the data directory, not of a cluster that is in it
_NOT_OF_A_CLUSTER = frozenset(
    {WORK, "sockwake-password", "lost+found", cluster.STAGED, cluster.MADE}
)
# what PostgreSQL itself has in a cluster
_OWN = frozenset(
    """
    base global pg_commit_ts pg_dynshmem pg_hba.conf pg_ident.conf pg_logical pg_multixact pg_notify
    pg_replslot pg_serial pg_snapshots pg_stat pg_stat_tmp pg_subtrans pg_tblspc pg_twophase
    pg_wal pg_xact pg_upgrade_output.d postgresql.auto.conf postgresql.conf postmaster.opts
    postmaster.pid current_logfiles log PG_VERSION server.crt server.key backup_label.old
    backup_manifest tablespace_map.old
    """.split()
)


def served(major: int) -> str:
    """Where in the data directory a cluster is served, "" for the directory itself."""
    return pgdata("", major).lstrip("/")


def kept(major: int, other: int) -> str:
    """Where it is while another one is served, of version other."""
    return "" if not served(major) and served(other) else f"{major}/docker"


def version_of(path: str) -> str:
    """The version of the cluster in a directory, "" when there is none."""
    try:
        return files.read_plain(f"{path}/{_PROOF}").strip()
    except OSError:
        return ""


def owner(data: str, *majors: int) -> tuple[int, int]:
    """(uid, gid) of a cluster of one of these versions, wherever it is; raises SockwakeError."""
    first, second = majors
    places = [served(first), kept(first, second), served(second), kept(second, first)]
    for place in places:
        with suppress(FileNotFoundError):
            found = os.stat(f"{data}/{place}/{_PROOF}")
            return found.st_uid, found.st_gid
    raise SockwakeError(f"there is no database cluster in {data}", "is its disk mounted?")


def entries(data: str) -> list[str]:
    """What is in a data directory that is itself a cluster, and belongs to that."""
    return sorted(
        name for name in os.listdir(data) if name not in _NOT_OF_A_CLUSTER and not name.isdecimal()
    )


def configuration(path: str) -> list[str]:
    """What in a cluster is no data of PostgreSQL's: its configuration, keys, and what else is."""
    ours = {"postgresql.conf", "postgresql.auto.conf", "pg_hba.conf", "pg_ident.conf"}
    ours |= {"server.crt", "server.key"}
    return [name for name in entries(path) if name in ours or name not in _OWN]


def take_in(data: str, major: int, other: int) -> None:
    """Give the cluster that was made in NEW its place beside the one of version other."""
    made, place = f"{data}/{NEW}", f"{data}/{kept(major, other)}"
    if os.path.isdir(made):
        _make_directory(os.path.dirname(place), made)
        os.rename(made, place)
        files.sync(os.path.dirname(place))
        files.sync(data)


def switch(data: str, old: int, new: int) -> None:
    """Have the cluster of version new where it is served, and keep the one of version old.

    After an interruption at any point the same call goes on.
    """
    if served(old) or served(new):
        return  # each is where it always is
    out, come = f"{data}/{kept(old, new)}", f"{data}/{kept(new, old)}"
    if not os.path.isdir(out):
        part = f"{os.path.dirname(out)}/{_PART}"
        _make_directory(os.path.dirname(part), data)
        _make_directory(part, data)
        # without it there is no cluster that could be served
        for name in sorted(entries(data), key=lambda each: each != _PROOF):
            os.rename(f"{data}/{name}", f"{part}/{name}")
        os.rename(part, out)
        files.sync(os.path.dirname(out))
    if os.path.isdir(come):
        for name in sorted(os.listdir(come), key=lambda each: each == _PROOF):
            os.rename(f"{come}/{name}", f"{data}/{name}")
        os.rmdir(come)
        _remove_if_empty(os.path.dirname(come))
    files.sync(data)


def _make_directory(path: str, like: str) -> None:
    """Make a directory that belongs to the owner of another one, for that user alone."""
    owner = os.stat(like)
    with suppress(FileExistsError):
        os.mkdir(path, 0o700)
    os.chown(path, owner.st_uid, owner.st_gid)


def _remove_if_empty(path: str) -> None:
    with suppress(OSError):
        os.rmdir(path)


def is_kept(data: str, major: int, other: int) -> bool:
    """Whether the cluster of this version, which is not served, is there."""
    return bool(version_of(f"{data}/{kept(major, other)}"))


def forget(data: str, major: int, other: int) -> list[str]:
    """Delete the cluster of this version, which is not served; returns the paths that were left.

    Raises SockwakeError when another cluster is in its place.
    """
    place = f"{data}/{kept(major, other)}".rstrip("/")
    if (found := version_of(place)) not in ("", f"{major}"):
        raise SockwakeError(f"{place} is a cluster of PostgreSQL {found}, not {major}")
    if place != data:
        if os.path.isdir(place):
            deletion.tree(place)
        _remove_if_empty(os.path.dirname(place))
        return []
    if not found:
        return []
    # what proves it last
    for name in sorted(set(entries(data)) & _OWN, key=lambda each: each == _PROOF):
        path = f"{data}/{name}"
        if os.path.isdir(path) and not os.path.islink(path):
            deletion.tree(path)
        else:
            os.unlink(path)
    return [f"{data}/{name}" for name in entries(data)]


def discard_work(data: str) -> None:
    """Delete what was made of a new cluster that never got its place."""
    if os.path.lexists(f"{data}/{WORK}"):
        deletion.tree(f"{data}/{WORK}")
