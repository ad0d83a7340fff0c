"""An instance made of a backup: another one beside the first, or one that was removed."""

import os
from dataclasses import replace

from sockwake.admin.backup import listing, staged
from sockwake.admin.change import copy
from sockwake.admin.change.origin import of_backup
from sockwake.config import scope
from sockwake.config.instance import Instance, Name
from sockwake.errors import UNKNOWN, SockwakeError
from sockwake.lifecycle import backups


def make(instance: Instance, timestamp: str, new: Name, wish: copy.Wish) -> str:
    """Make an instance of a backup of another; returns what was made. timestamp: "" for the newest.

    One that has the name of the first gets its port and the place of its data, too.
    Raises SockwakeError with nothing made.
    """
    if not os.path.isdir(backups.directory(instance)):
        raise SockwakeError(
            f"there is no instance '{instance.name}', and no backup of it",
            f"{scope.command('sockwake backups ls')} shows those there are",
            UNKNOWN,
        )
    with staged.locked(instance):
        backup = listing.usable(instance, timestamp)
        if backup.method == backups.DUMP:
            raise SockwakeError(
                f"{backup.path} is a dump, of which a new cluster is made",
                scope.command("sockwake-new", new, "--from", backup.path),
            )
        _require_no_engine_volumes(backup)
        if new == instance.name:
            settings = of_backup(backup, instance.root).settings
            had = str(backup.facts.get("data") or "")
            data = had if had != Instance(Name(backup.name_then)).data else ""
            wish = replace(wish, port=wish.port or settings.port, data=wish.data or data)
        return copy.from_backup(backup, new, wish, root=instance.root)


def _require_no_engine_volumes(backup: backups.Backup) -> None:
    if backup.facts.get("runtime") != "crun" and backup.facts.get("volumes"):
        raise SockwakeError(
            f"{backup.path} has volumes of a container engine, which another instance cannot have",
            f"make '{backup.name}' again, and restore into it, or copy them from {backup.volumes}",
        )
