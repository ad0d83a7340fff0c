"""sockwake backups verify: proof that a backup is whole and that a server starts of it.

All files are counted first. A base backup is read by pg_verifybackup(1), against its manifest. A
copy of the cluster, which goes afterwards, is started by a throw-away server without a network,
which answers a query in each database and is stopped; then pg_checksums(1) reads the pages of it.
Dumps have the checksums that they had, and are read to their ends by pg_restore(1). What is found
is noted in the backup's status.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sockwake.admin.backup import online, staged
from sockwake.admin.change.origin import Origin, of_backup
from sockwake.admin.words import listed
from sockwake.config.instance import Instance
from sockwake.errors import SockwakeError, failure, is_of_no_room
from sockwake.lifecycle import backups, programs
from sockwake.lifecycle.backups import Backup, DamagedError
from sockwake.lifecycle.passing import Place
from sockwake.lifecycle.programs import Programs
from sockwake.oci import store
from sockwake.postgres.names import CLOSED, DATABASES
from sockwake.system import deletion, process, tree_copy

_PURPOSE = "verify"
_A_WORD = 60  # seconds for a program that only says what it is
_HINT = "verifying takes a copy of it; where blocks are shared that takes no room"


def verify(instance: Instance, backup: Backup, *, quiet: bool) -> str:
    """Prove a backup, note what was found, and return it as a sentence.

    The backups of the instance are locked by the caller. Raises DamagedError, and another
    SockwakeError when it could not be proven.
    """
    try:
        done = [f"it has all its {backups.require_all_files(backup)} files"]
        if backup.facts.get("kind") == "postgres":
            done += _of_postgres(instance, backup, quiet=quiet)
    except DamagedError as error:
        staged.note(backup, damage=error.whole, verified=None)
        raise DamagedError(f"{backup.title} is damaged: {error.whole}") from None
    staged.note(backup, damage="", verified=backups.written(time.time()))
    return f"backup {backup.stamp} of {backup.name} is good: {'; '.join(done)}"


def _of_postgres(instance: Instance, backup: Backup, *, quiet: bool) -> list[str]:
    """What PostgreSQL's own programs find; raises DamagedError."""
    origin = of_backup(backup, instance.root)
    is_dump = backup.method == backups.DUMP
    own = _programs(instance, origin, _owner(origin, is_dump=is_dump))
    own.passing.prepare()  # the error of what cannot be run here is none of the backup's
    own.passing.end()
    if is_dump:
        with _damage(own):
            return _read_dumps(own, backup)
    below = os.path.relpath(origin.settings.cluster, origin.settings.data)
    below = "" if below == "." else below
    done = []
    if backup.method == backups.BASEBACKUP:
        with _damage(own):
            own.run("pg_verifybackup", "--quiet", Place(backup.data, below, is_writable=False))
        done.append("pg_verifybackup finds it as its manifest says")
    top, name = os.path.split(backup.path)
    scratch = f"{top}/{backups.DOOMED}{name}"  # deleted by the next command if this one is killed
    os.mkdir(scratch, 0o700)
    try:
        data = f"{scratch}/data"
        os.mkdir(data)
        tree_copy.copy(backup.data, data, quiet=quiet, hint=_HINT)
        with _damage(own):
            return [*done, *_started(own, Place(data, below))]
    finally:
        deletion.tree(scratch)


def _programs(instance: Instance, origin: Origin, owner: tuple[int, int]) -> Programs:
    """The programs of the image that it had, or of the one of that name there is now."""
    settings = origin.settings
    image = store.find(origin.image, instance.root) if settings.is_container else None
    if settings.is_container and not image:
        image = programs.image_of(instance, settings)
    return programs.of(instance, settings, _PURPOSE, image=image, owner=owner)


def _owner(origin: Origin, *, is_dump: bool) -> tuple[int, int]:
    """Whose the files are; raises DamagedError."""
    below = os.path.relpath(origin.settings.cluster, origin.settings.data)
    proof = origin.data if is_dump else f"{origin.data}/{below}/PG_VERSION"
    try:
        known = os.stat(proof)
    except OSError:
        raise DamagedError("there is no cluster in it") from None
    return known.st_uid, known.st_gid


def _started(own: Programs, cluster: Place) -> list[str]:
    """Start a server on a copy, which is changed; returns what was proven."""
    with own.server(cluster) as server:
        names = server.sql(DATABASES).splitlines()
        for name in names:
            server.sql("SELECT count(*) FROM pg_class", name)
        closed = server.sql(CLOSED).splitlines()
    done = [f"a server of it answers in {listed(names)}"]
    if closed:
        done.append(f"no connections are allowed to {listed(closed)}, where it was not asked")
    if own.control_data(cluster).checksums:
        own.run("pg_checksums", "--check", cluster)
        done.append("all its checksums are right")
    return done


def _read_dumps(own: Programs, backup: Backup) -> list[str]:
    names = []
    if online.digest(f"{backup.data}/globals.sql") != backup.facts["globals_sha256"]:
        raise DamagedError("globals.sql is not what was written")
    for each in backup.facts["databases"]:
        file = str(each["file"])
        if online.digest(f"{backup.data}/{file}") != each["sha256"]:
            raise DamagedError(f"{file} is not what was written")
        own.run("pg_restore", "--file=/dev/null", Place(backup.data, file, is_writable=False))
        names.append(str(each["name"]))
    return [f"pg_restore reads the dumps of {listed(names)}"]


@contextmanager
def _damage(own: Programs) -> Iterator[None]:
    """What a program says of a backup within is damage, unless it is the machine's fault.

    That one took too long is none.
    """
    try:
        yield
    except (process.Overdue, process.NotInstalled, DamagedError):
        raise
    except (SockwakeError, OSError, KeyError) as error:
        said = error.whole if isinstance(error, SockwakeError) else str(error)
        _require_able(own, error, said)
        raise DamagedError(said) from None


def _require_able(own: Programs, error: Exception, said: str) -> None:
    """Raise SockwakeError for what does not come from the backup.

    A program that was killed, that had no room, or that does not run at all. A backup that was
    taken for damaged would expire, and not be restored again. said: what error says.
    """
    output = error.output if isinstance(error, process.ProgramError) else said
    if is_of_no_room(output):
        raise SockwakeError("there is no room to prove it", _HINT, said=said)
    problem = "it could not be proven"
    if isinstance(error, SockwakeError) and not programs.has_complained(output):
        raise SockwakeError(problem, error.hint, said=said)
    try:
        own.run("postgres", "--version", timeout=_A_WORD)
    except (SockwakeError, OSError) as without:
        known = failure(without)
        raise SockwakeError(problem, known.hint, said=known.whole) from None
