"""What a copy is made of: an instance that sleeps, or a backup of one."""

from __future__ import annotations

import os
from dataclasses import dataclass

from sockwake.config.instance import Instance, Name
from sockwake.config.settings import Settings, load
from sockwake.lifecycle.backups import Backup
from sockwake.oci import bundle


@dataclass(frozen=True)
class Origin:
    """Where the files and data of a copy come from.

    instance: its directory has the files. data: the directory to copy, "" for none. volumes: that
    which has a directory for each volume of its image, "" for none. image: the digest of what crun
    runs of it, or "". backup: None for an instance that is there.
    """

    instance: Instance
    settings: Settings
    data: str
    volumes: str = ""
    image: str = ""
    backup: Backup | None = None

    @property
    def title(self) -> str:
        """What it is called in a sentence."""
        if not self.backup:
            return self.instance.name
        which = "an earlier " if self.backup.is_earlier else ""
        return f"{which}{self.instance.name} as of {self.backup.stamp}"

    @property
    def is_private(self) -> bool:
        """Whether its data were where systemd puts those of a DynamicUser=."""
        if self.backup:
            return bool(self.backup.facts.get("is_private"))
        data = self.settings.data
        return os.path.islink(data) and "/private/" in os.path.realpath(data)


def of_instance(instance: Instance) -> Origin:
    """What a copy of an instance is made of."""
    settings = load(instance)
    data = settings.data if settings.data and os.path.isdir(settings.data) else ""
    return Origin(instance, settings, data, image=bundle.image_of(instance))


def of_backup(backup: Backup, root: str) -> Origin:
    """What a copy of a backup is made of."""
    instance = Instance(Name(backup.name_then), root, etc=backup.instance_files)
    return Origin(
        instance,
        load(instance),
        backup.data if os.path.isdir(backup.data) else "",
        backup.volumes if os.path.isdir(backup.volumes) else "",
        str(backup.facts.get("image_digest") or ""),
        backup,
    )
