"""Backups as they are on the disk, for tests that only read them."""

import json
import os
import time
from pathlib import Path

from sockwake.config.instance import Instance
from sockwake.lifecycle import backups


def write_backup(instance: Instance, *, age: float, damage: str = "") -> Path:
    """A whole backup of an instance, finished so many seconds ago; its directory."""
    finished = time.time() - age
    path = Path(backups.directory(instance), f"{backups.stamp(finished - 1)}.files")
    (path / "data").mkdir(parents=True)
    status = {
        "instance": instance.name,
        "started": backups.written(finished - 1),
        "finished": backups.written(finished),
        "bytes": 42 << 20,
        "damage": damage,
    }
    (path / backups.STATUS).write_text(json.dumps(status))
    return path


def write_failure(instance: Instance, *, age: float, why: str) -> None:
    """Note a backup that has failed so many seconds ago."""
    os.makedirs(backups.directory(instance), exist_ok=True)
    when = backups.written(time.time() - age)
    Path(backups.failure_file(instance)).write_text(f"{when} {why}\n")
