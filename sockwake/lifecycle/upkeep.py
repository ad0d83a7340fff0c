"""What the upkeep of a PostgreSQL has done, and what is due by now: told without waking it."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass, replace

from sockwake.config import scope
from sockwake.config.instance import Instance
from sockwake.config.settings import Settings
from sockwake.errors import SockwakeError
from sockwake.lifecycle import backups, server_log
from sockwake.oci import bundle
from sockwake.postgres.controldata import ControlData
from sockwake.system import files, systemctl

FREEZE, VACUUM, COLLATION, CHECKSUMS = WORKS = ("freeze", "vacuum", "collation", "checksums")
# half of what autovacuum_freeze_max_age and autovacuum_multixact_freeze_max_age are by default: at
# that age autovacuum would begin in the middle of some client's work, if there were time
FREEZE_AGE, MULTI_AGE = 100_000_000, 200_000_000
WRAPAROUND_AGE = 2 * FREEZE_AGE  # then autovacuum freezes template0, too, which lets nobody in
_WAL = 16 << 20  # bytes written since the last upkeep for which it is worth a look
_VERIFY_EVERY = 28 * 86_400  # seconds
_XIDS = 1 << 32


@dataclass(frozen=True)
class Note:
    """The last upkeep of an instance.

    finished: seconds since 1970. done: what it did, each as the end of a sentence. failure: what it
    could not do, or "". damage: which page has a wrong checksum, or "". wal: how far the WAL had
    come, in bytes. frozen_xid, frozen_multi: the next ones when all was frozen last. sorts_by: see
    sorts_by(). run: what systemd calls the run of the backend in which it was done. verified: when
    the checksums of all pages were right, in seconds since 1970; 0 for never.
    """

    finished: float = 0.0
    done: tuple[str, ...] = ()
    failure: str = ""
    damage: str = ""
    wal: int = 0
    frozen_xid: int | None = None
    frozen_multi: int | None = None
    sorts_by: str = ""
    run: str = ""
    verified: float = 0.0

    def facts(self) -> dict[str, object]:
        """What --json says of it."""
        return {
            "finished": backups.written(self.finished),
            "done": list(self.done),
            "failure": self.failure or None,
            "damage": self.damage or None,
            "checksums_verified": backups.written(self.verified) if self.verified else None,
        }


@dataclass(frozen=True)
class Due:
    """Something that is due. work: of WORKS. why: as the end of a sentence."""

    work: str
    why: str


def due(
    control: ControlData, note: Note | None, sorts: str, mismatched: list[str], now: float
) -> list[Due]:
    """What is due of a cluster.

    sorts: see sorts_by(). mismatched: the databases of which the server has said in its last run
    that they were made with another collation. now: seconds since 1970.
    """
    found = [Due(FREEZE, why) for why in [_freeze(control, note or Note())] if why]
    written = control.redo - note.wal if note else 0
    if not note:
        found.append(Due(VACUUM, "it was never maintained"))
    elif written >= _WAL:
        found.append(Due(VACUUM, f"{written >> 20} MiB of WAL were written since the last upkeep"))
    elif written <= -_WAL:
        found.append(Due(VACUUM, "its data are from before the last upkeep"))
    if mismatched:
        names = ", ".join(f'"{each}"' for each in mismatched)
        found.append(Due(COLLATION, f"texts are sorted otherwise than the indexes of {names} are"))
    elif note and note.sorts_by != sorts:
        found.append(Due(COLLATION, "another C library may sort texts otherwise than before"))
    verified = note.verified if note else 0
    if control.checksums and not verified:
        found.append(Due(CHECKSUMS, "the checksums of its pages were never verified"))
    elif control.checksums and verified > now:
        found.append(Due(CHECKSUMS, "the clock was set back since its pages were verified"))
    elif control.checksums and now - verified > _VERIFY_EVERY:
        days = (now - verified) // 86_400
        found.append(Due(CHECKSUMS, f"its pages were verified {days:.0f} days ago"))
    return found


def _freeze(control: ControlData, note: Note) -> str:
    """Why the cluster is to be frozen, or "".

    What only autovacuum reaches (template0) is older than the last freezing, and no reason until
    autovacuum freezes it.
    """
    pairs = (
        (control.freeze_age, control.next_xid, note.frozen_xid, FREEZE_AGE, "transactions"),
        (control.multi_age, control.next_multi, note.frozen_multi, MULTI_AGE, "multixacts"),
    )
    for age, following, frozen, limit, what in pairs:
        since = age if frozen is None else min(age, (following - frozen) % _XIDS)
        if since >= limit or age >= 2 * limit:
            return f"it has not been frozen for {max(since, age):,} {what}"
    return ""


def sorts_by(instance: Instance, settings: Settings) -> str:
    """What tells the C library that a server sorts texts with from every other."""
    if settings.is_bundled:
        return bundle.image_of(instance)
    return settings.image if settings.is_container else os.confstr("CS_GNU_LIBC_VERSION") or ""


def mismatched(instance: Instance, settings: Settings, note: Note | None) -> list[str]:
    """The databases of which the server has said in its last run that their collation changed.

    In the run of the last upkeep it was changed after that.
    """
    if not instance.root and note and note.run == systemctl.invocation(instance.backend_unit):
        return []
    if settings.needs_engine:
        return files.text_of(instance.collation_file).splitlines()
    return [] if instance.root else server_log.mismatched_in_last_run(instance)


def note_file(instance: Instance) -> str:
    """No Name has a "." in it."""
    return f"{instance.root}{scope.data()}/upkeep.d/{instance.name}"


def read(instance: Instance) -> Note | None:
    """The last upkeep; None without one."""
    try:
        facts = json.loads(files.text_of(note_file(instance)))
        facts["done"] = tuple(facts["done"])
        return Note(**facts)
    except (ValueError, TypeError, KeyError):
        return None


def write(instance: Instance, note: Note) -> None:
    """Note an upkeep, whole; raises SockwakeError."""
    path = note_file(instance)
    try:
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        files.replace(path, 0o644, f"{json.dumps(vars(note))}\n")
    except OSError as error:
        raise SockwakeError(f"cannot write {path}: {error.strerror}") from None


def forget_pages(instance: Instance) -> None:
    """Have nothing be known of its pages: other data are in their place now. Can be repeated."""
    if (note := read(instance)) and (note.damage or note.verified):
        write(instance, replace(note, damage="", verified=0.0))


def hand_on(old: Instance, instance: Instance) -> None:
    """Have an instance with a new name keep its note; can be repeated."""
    if os.path.exists(had := note_file(old)):
        os.rename(had, note_file(instance))


def forget(instance: Instance) -> None:
    """Remove the note, and its directory with the last one."""
    path = note_file(instance)
    files.remove(path)
    with suppress(OSError):  # others have theirs in there, or it never was
        os.rmdir(os.path.dirname(path))
