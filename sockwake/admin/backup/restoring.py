"""sockwake restore: the data of a backup in place of those of its instance, which are kept.

They are copied beside them first, while the instance may be awake. Then, while it sleeps and its
wakes are held back, the two change places, each in one step, and the password file gets what the
backup has. A restore that was killed is finished by the next, or forgotten when its copies are not
whole.
"""

import os
import time
from dataclasses import replace

from sockwake.admin import inventory
from sockwake.admin.backup import contents, restored, staged
from sockwake.admin.backup.restored import DONE, STAGED, STAGING, Note, Swap
from sockwake.admin.upkeep import unserved, upgraded
from sockwake.config import scope
from sockwake.config.instance import Instance, Name
from sockwake.config.settings import Settings, load, pgdata
from sockwake.engine.resources import engine_with_volumes
from sockwake.errors import SockwakeError
from sockwake.kinds.table import CRUN, HOST
from sockwake.lifecycle import backups
from sockwake.lifecycle.backups import Backup
from sockwake.lifecycle.still import require_asleep, still
from sockwake.oci import layers
from sockwake.postgres import cluster
from sockwake.system import deletion, files, safe_path, tree_copy
from sockwake.system.identity import identity


def restore(name: Name, timestamp: str, *, root: str = "", quiet: bool = False) -> str:
    """Give an instance the data of a backup; returns what was done. timestamp: "" for the newest.

    Raises SockwakeError with nothing changed.
    """
    from sockwake.admin.backup.listing import usable

    with inventory.held(name, root) as instance:
        inventory.require_finished(instance)
        settings = load(instance)
        with staged.locked(instance):
            if said := _finish_left(instance, settings):
                return said
            restored.require_none(instance)
            upgraded.require_none(instance)  # it is between two clusters in the data
            backup = usable(instance, timestamp)
            _require_possible(instance, settings, backup)
            note = _stage(instance, settings, backup, quiet=quiet)
            try:
                with still(instance, settings):
                    note = note.finish(instance)
            except BaseException:
                if not any(swap.is_done for swap in note.swaps):
                    note.discard(instance)
                raise
        kept = ", ".join(note.kept)
        has = f"its data of {backup.stamp}"
        if backup.is_earlier:
            has = f"the data of {backup.stamp} of an earlier instance of its name"
        return f"{name} has {has}; those it had are kept in {kept}"


def back(name: Name, *, root: str = "") -> str:
    """Have the data in place that were there before the last restore, or the other way round."""
    with inventory.held(name, root) as instance:
        inventory.require_finished(instance)
        settings = load(instance)
        if said := _finish_left(instance, settings):
            return said
        upgraded.require_none(instance)
        note = _noted(instance)
        require_asleep(instance, settings)
        with still(instance, settings):
            note = note.undone().write(instance).finish(instance)
        kept = ", ".join(note.kept)
        which = "it had before" if note.is_back else f"of {note.source} again"
        return f"{name} has the data {which}; the others are kept in {kept}"


def forget(name: Name, *, root: str = "") -> str:
    """Delete what the last restore has kept."""
    with inventory.held(name, root) as instance:
        inventory.require_finished(instance)
        _finish_left(instance, load(instance))
        note = _noted(instance)
        note.delete_kept()
        restored.forget(instance)
        return f"deleted {', '.join(note.kept)}"


def _noted(instance: Instance) -> Note:
    """The note of the last restore, which is finished; raises SockwakeError."""
    if note := restored.read(instance):
        return note
    raise SockwakeError(
        f"nothing is kept of a restore of '{instance.name}'",
        scope.command("sockwake restore", instance.name),
    )


def _finish_left(instance: Instance, settings: Settings) -> str:
    """Finish a restore that was killed, or forget it; returns what was done, "" for nothing."""
    note = restored.read(instance)
    if not note or note.phase == DONE:
        return ""
    if note.is_untouched:
        note.discard(instance)
        return ""
    require_asleep(instance, settings)
    with still(instance, settings):
        note = note.finish(instance)
    return (
        f"finished the restore of '{instance.name}' from {note.source} that was interrupted; "
        f"the other data are kept in {', '.join(note.kept)}"
    )


def _require_possible(instance: Instance, settings: Settings, backup: Backup) -> None:
    """Raise SockwakeError for a backup that cannot take the place of the data there are."""
    beside = scope.command("sockwake restore", instance.name) + f" --from {backup.stamp} --as NEW"
    if backup.method == backups.DUMP:
        raise SockwakeError(
            f"{backup.path} is a dump, which makes an instance of its own",
            scope.command("sockwake-new", "NEW", "--from", backup.path),
        )
    had = str(backup.facts.get("kind")), _major(str(backup.facts.get("version") or ""))
    has = settings.kind, _major(settings.version)
    if had != has:
        raise SockwakeError(
            f"the backup is of kind {' '.join(had).strip()}, and instance '{instance.name}' is of "
            f"kind {' '.join(has).strip()}",
            f"{beside} makes another instance of it",
        )
    unserved.require_known(backup)
    safe_path.require_in_tree(instance.root, settings.data)
    _require_data_directory(instance, settings, backup, beside)
    contents.require_whole(settings)
    require_asleep(instance, settings)
    places = _places(instance, settings, backup)
    if not places:
        raise SockwakeError(f"there are no data in {backup.path}")
    for source, place in places.items():
        for path in (source, place):
            safe_path.require_in_tree(instance.root, path)
        if deletion.is_mount(place):
            raise SockwakeError(
                f"{place} is a mount, which cannot be exchanged for another directory", beside
            )
        if not os.path.isdir(place):
            raise SockwakeError(f"there is no {place} to be replaced", beside)


def _require_data_directory(
    instance: Instance, settings: Settings, backup: Backup, beside: str
) -> None:
    """Raise SockwakeError for a backup with data that an instance has no place for."""
    if settings.data or not os.path.isdir(backup.data):
        return
    is_copied = not settings.is_project and (
        backup.facts.get("runtime") == CRUN or not backup.facts.get("volumes")
    )
    raise SockwakeError(
        f"{backup.title} has data, and instance '{instance.name}' has no data directory",
        f"{beside} makes another instance of it"
        if is_copied
        else f"copy them yourself from {backup.data}",
    )


def _major(version: str) -> str:
    return version.partition(".")[0]


def _places(instance: Instance, settings: Settings, backup: Backup) -> dict[str, str]:
    """Each directory of a backup, and the one whose place it takes."""
    found = {}
    if os.path.isdir(backup.data):
        found[backup.data] = os.path.realpath(settings.data)
    if not os.path.isdir(backup.volumes):
        return found
    is_of_crun = backup.facts.get("runtime") == CRUN
    if is_of_crun and settings.is_bundled:
        return found | {backup.volumes: layers.paths(instance)[1]}
    engine = None if is_of_crun else engine_with_volumes(instance, settings)
    if not engine:
        whose = "crun's" if is_of_crun else "an engine's"
        raise SockwakeError(
            f"{backup.title} has volumes of {whose}, and instance '{instance.name}' has none here",
            f"copy them yourself from {backup.volumes}",
        )
    names = sorted(os.listdir(backup.volumes))
    return found | {f"{backup.volumes}/{name}": contents.place_of(engine, name) for name in names}


def _prepare_cluster(instance: Instance, settings: Settings, beside: str) -> None:
    """Have the server of the instance serve the copy of a cluster, whatever ran it before.

    That can have been an image's with another user, or the host's.
    """
    found = pgdata(beside, settings.major)
    files.remove(f"{found}/postmaster.pid")
    if not os.path.exists(f"{found}/PG_VERSION"):
        raise SockwakeError(f"there is no cluster in the backup: {found} has no PG_VERSION")
    if owner := _owner(instance, settings):
        cluster.hand_over(beside, found, owner)


def _owner(instance: Instance, settings: Settings) -> str:
    """Whose the cluster has to be, as USER:GROUP; "" when there is nothing that tells."""
    if settings.runtime == HOST and not instance.root:
        from sockwake.lifecycle import hosted  # 10 ms

        return f"{hosted.server_user(instance)}:"
    for path in (f"{settings.cluster}/PG_VERSION", settings.cluster, settings.data):
        try:
            known = os.stat(path)
        except OSError:
            continue
        if known.st_uid:
            return f"{known.st_uid}:{known.st_gid}"
    return ""


def _stage(instance: Instance, settings: Settings, backup: Backup, *, quiet: bool) -> Note:
    """Copy a backup beside the data; returns the note of what is to be exchanged."""
    places = _places(instance, settings, backup)
    suffix = f".before-{backups.stamp(time.time())}"
    secret = files.text_of(f"{backup.instance_files}/password") if settings.has_cluster else ""
    other = files.text_of(instance.password_file) if secret else None
    note = Note(os.path.basename(backup.path), STAGING, (), secret or None, other)
    try:
        for source, place in places.items():
            beside = f"{place}{suffix}"
            swap = Swap(place, beside, "", identity(place))
            before = note.swaps
            note = replace(note, swaps=(*before, swap)).write(instance)
            os.mkdir(beside, 0o700)
            swap = replace(swap, coming=identity(beside))
            note = replace(note, swaps=(*before, swap)).write(instance)
            hint = f"{scope.command('sockwake backups', 'expire')} may make room"
            tree_copy.copy(source, beside, quiet=quiet, hint=hint)
            if settings.has_cluster:
                unserved.leave_out_of(backup, beside)
                _prepare_cluster(instance, settings, beside)
            tree_copy.sync(beside)
        return replace(note, phase=STAGED).write(instance)
    except BaseException:
        note.discard(instance)
        raise
