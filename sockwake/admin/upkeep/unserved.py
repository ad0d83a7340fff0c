"""The cluster of an upgrade that is not served: it stays where it is, and is in no copy of that."""

from __future__ import annotations

from sockwake.admin.upkeep import two_clusters, upgraded
from sockwake.admin.upkeep.upgraded import DONE, MAKING
from sockwake.config.instance import Instance, Name
from sockwake.errors import SockwakeError
from sockwake.lifecycle.backups import Backup


def require_known(backup: Backup) -> None:
    """Raise SockwakeError for a backup that was made between two clusters: neither is served."""
    found = upgraded.read(_then(backup))
    if found and found.state not in (MAKING, DONE):
        raise SockwakeError(
            f"{backup.title} was made while an upgrade from PostgreSQL {found.old.version} to "
            f"{found.new.version} was not finished",
            "--from takes another backup",
        )


def leave_out_of(backup: Backup, data: str) -> None:
    """Delete from a copy of the data of a backup what was not served then."""
    leave_out(_then(backup), data)


def leave_out(source: Instance, data: str) -> None:
    """Delete from a copy of its data the cluster that is not served, and what was made of one."""
    if found := upgraded.read(source):
        two_clusters.discard_work(data)
        if found.state == DONE:
            two_clusters.forget(data, found.old.major, found.new.major)


def _then(backup: Backup) -> Instance:
    """The instance with its files as the backup has them."""
    return Instance(Name(backup.name_then), etc=backup.instance_files)
