"""sockwake backup: the data of an instance and its files, whole or not at all.

Of one that sleeps they are copied as they are, without waking it; a copy that takes long is given
up for a client that comes, and becomes an online one, or begins anew. Of a PostgreSQL that is awake
pg_basebackup(1) makes it, while the instance is held awake.
"""

import time
from dataclasses import dataclass

from sockwake.admin import inventory
from sockwake.admin.backup import contents, expiry, online
from sockwake.admin.backup.staged import Staged, locked
from sockwake.admin.words import size
from sockwake.config.instance import Instance, Name
from sockwake.config.settings import Settings, load
from sockwake.errors import SockwakeError, failure
from sockwake.lifecycle import backups
from sockwake.lifecycle.backups import BASEBACKUP, DUMP, FILES, Backup
from sockwake.lifecycle.still import AwakeError, still, undisturbed
from sockwake.system import deletion, files, tree_copy


@dataclass(frozen=True)
class Wish:
    """What is asked for. dump: the databases as pg_dump has them. if_changed: nothing otherwise."""

    dump: bool = False
    if_changed: bool = False
    quiet: bool = False


@dataclass(frozen=True)
class Outcome:
    """What became of it. made: None when nothing had changed since `last`. expired: how many.

    problem: why others that are too old are still there.
    """

    made: Backup | None
    last: Backup | None = None
    expired: int = 0
    problem: SockwakeError | None = None

    def sentence(self, name: Name) -> str:
        """For the administrator, without a full stop."""
        if not self.made:
            since = self.last.stamp if self.last else "then"
            return f"{name} has not been awake since its backup of {since}"
        gone = f"; {self.expired} older ones have expired" if self.expired > 1 else ""
        gone = "; an older one has expired" if self.expired == 1 else gone
        return f"Backed up {name} in {self.made.path} ({size(self.made.bytes)}){gone}"


def make(name: Name, wish: Wish, root: str = "") -> Outcome:
    """Make a backup of an instance; raises SockwakeError, which is noted, with nothing made."""
    with inventory.held(name, root, only_reads=True) as instance:
        inventory.require_finished(instance)
        settings = load(instance)
        if wish.dump and not settings.has_cluster:
            raise SockwakeError(
                f"instance '{name}' has no databases to dump", "without --dump its data are copied"
            )
        found = _find(instance, settings)
        if wish.if_changed and (last := _unchanged(instance, settings, found)):
            return Outcome(None, last)
        with locked(instance) as top:
            try:
                made = _make(instance, settings, found, wish, top)
            except (SockwakeError, OSError) as error:
                _note_failure(instance, failure(error))
                raise
            files.remove(backups.failure_file(instance))
            return _expire(instance, settings, made)


def _expire(instance: Instance, settings: Settings, made: Backup) -> Outcome:
    """Delete the older ones that KEEP_BACKUPS= has no room for; the new one is there already."""
    count, problem = 0, None
    try:
        for _ in expiry.expire(instance, expiry.kept(settings)):
            count += 1
    except (SockwakeError, OSError) as error:
        known = failure(error)
        what = f"not all older backups of '{instance.name}' could be deleted: {known.message}"
        problem = SockwakeError(what, known.hint, known.status, known.said)
    return Outcome(made, None, count, problem)


def _find(instance: Instance, settings: Settings) -> contents.Contents:
    """What there is to copy; that some is gone is noted as every failure."""
    try:
        return contents.find(instance, settings)
    except contents.NothingToBackUpError:
        raise
    except SockwakeError as error:
        with locked(instance):
            _note_failure(instance, error)
        raise


def _unchanged(instance: Instance, settings: Settings, found: contents.Contents) -> Backup | None:
    """The last good backup, if the instance sleeps and has not been awake since."""
    last = backups.last_good(instance)
    if not last or not last.facts.get("token"):
        return None
    try:
        with still(instance, settings):
            is_same = contents.token(instance, found) == last.facts["token"]
    except AwakeError:
        return None
    return last if is_same else None


def _note_failure(instance: Instance, error: SockwakeError) -> None:
    line = f"{backups.written(time.time())} {error.whole}\n"
    try:
        files.replace(backups.failure_file(instance), 0o600, line)
    except OSError:
        pass  # the error itself is the one to tell


def _make(
    instance: Instance, settings: Settings, found: contents.Contents, wish: Wish, top: str
) -> Backup:
    if wish.dump:
        return _by(DUMP, instance, settings, wish, top)
    contents.require_whole(settings)
    if not settings.has_cluster:
        return _stopped(instance, settings, found, wish, top)
    try:
        return _stopped(instance, settings, found, wish, top, once=True)
    except AwakeError:
        pass
    except tree_copy.InterruptedCopy:
        inventory.say(f"a client of '{instance.name}' came: backing it up while it is awake")
    return _by(BASEBACKUP, instance, settings, wish, top)


def _stopped(
    instance: Instance,
    settings: Settings,
    found: contents.Contents,
    wish: Wish,
    top: str,
    *,
    once: bool = False,
) -> Backup:
    """Copy what sleeps. once: raise InterruptedCopy for a client instead of beginning anew."""
    begun = Staged(top, FILES)
    facts = contents.facts(instance, settings)

    def copied(is_wanted: tree_copy.Asked) -> None:
        deletion.contents(begun.path)  # of one that was interrupted
        begun.take_files(instance)
        facts["token"] = contents.token(instance, found)
        if found.data:
            _copy(found.data, begun.part("data"), wish, is_wanted)
        volumes = begun.part("volumes") if found.volumes else ""
        for name, place in found.volumes.items():
            _copy(place, begun.part(f"volumes/{name}"), wish, is_wanted)
        facts["volumes"] = sorted(found.volumes) if volumes else []

    try:
        if once:
            with still(instance, settings) as is_wanted:
                copied(is_wanted)
        else:
            undisturbed(instance, settings, copied, inventory.say)
        tree_copy.sync(begun.path)
        return begun.publish(facts)
    except BaseException:
        begun.discard()
        raise


def _copy(source: str, target: str, wish: Wish, is_wanted: tree_copy.Asked) -> None:
    tree_copy.copy(source, target, quiet=wish.quiet, is_wanted=is_wanted, hint=online.ROOM)


def _by(method: str, instance: Instance, settings: Settings, wish: Wish, top: str) -> Backup:
    """Have the server tell its data, by pg_basebackup or pg_dump."""
    if instance.root:
        raise SockwakeError("in a tree no server can be started", "without --dump it is copied")
    begun = Staged(top, method)
    try:
        needed = files.disk_usage(settings.data) // (2 if method == DUMP else 1)
        tree_copy.require_room("", begun.path, needed, online.ROOM)
        begun.take_files(instance)
        begun.part("data")
        with online.Server(instance, settings) as server:
            said = server.dump(begun.path) if method == DUMP else server.base_backup(begun.path)
        tree_copy.sync(begun.path)
        return begun.publish(contents.facts(instance, settings) | said)
    except BaseException:
        begun.discard()
        raise
