"""Old backups deleted: all but the newest ones, and never the last good one."""

from collections.abc import Iterator, Sequence

from sockwake.admin import inventory
from sockwake.admin.backup import staged
from sockwake.config.instance import Instance
from sockwake.config.settings import Settings, load_if_valid
from sockwake.errors import USAGE, SockwakeError
from sockwake.lifecycle import backups
from sockwake.lifecycle.backups import Backup


def expire(instance: Instance, keep: int) -> Iterator[Backup]:
    """Delete all but the newest `keep` backups; yields each that is gone. For staged.locked().

    Those of an earlier instance of the name stay while there is one that has it now.
    """
    found = backups.own(instance) if inventory.exists(instance) else backups.of(instance)
    for each in beyond(found, keep):
        staged.delete(each)
        yield each


def beyond(found: Sequence[Backup], keep: int) -> list[Backup]:
    """The backups that are older than the newest `keep` good ones; none when there are not as many.

    found: the oldest first. keep: one at least, so that the last good one always stays.
    """
    good = [each for each in found if each.is_good]
    return list(found[: found.index(good[-keep])]) if len(good) >= keep > 0 else []


def kept(settings: Settings | None) -> int:
    """How many backups an instance keeps, by KEEP_BACKUPS=; 0 for all."""
    return settings.keep_backups if settings else 0


def number(instance: Instance, said: int | None) -> int:
    """How many are kept: as many as were said, else by KEEP_BACKUPS=; 0 for all."""
    return said or kept(load_if_valid(instance))


def keep_of(instance: Instance, said: int | None) -> int:
    """The same; raises SockwakeError where all are kept."""
    if keep := number(instance, said):
        return keep
    raise SockwakeError(f"'{instance.name}' keeps all its backups", "--keep says how many", USAGE)
