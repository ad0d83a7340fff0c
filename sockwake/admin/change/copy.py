"""sockwake copy OLD NEW: another instance with the same data, whole or not at all.

The source sleeps, and is held so: a client that comes meanwhile waits in the queue of its port for
a moment. A copy that takes longer is given up for it, and begins anew when the source sleeps again.
The copy is a draft until it has its data; the file "copying" is in it until nothing is left to do,
so that the same command makes it anew when it was killed.
"""

import os
from contextlib import suppress
from dataclasses import dataclass

from sockwake.admin import inventory
from sockwake.admin.change import copied_files, lines
from sockwake.admin.change.asleep import require_movable
from sockwake.admin.change.origin import Origin, of_backup, of_instance
from sockwake.admin.make import claims, draft
from sockwake.admin.make import new as making
from sockwake.admin.upkeep import unserved, upgraded
from sockwake.admin.words import listed
from sockwake.config import scope
from sockwake.config.instance import Instance, Name
from sockwake.config.settings import Settings, load, pgdata
from sockwake.errors import EXISTS, USAGE, SockwakeError
from sockwake.kinds.table import HOST
from sockwake.lifecycle import backups, expiring
from sockwake.lifecycle.backups import Backup
from sockwake.lifecycle.still import require_asleep, undisturbed
from sockwake.oci import layers, store
from sockwake.postgres import cluster
from sockwake.system import deletion, files, safe_path, systemctl, tree_copy

_NO_BACKUPS = {"BACKUP": "", "KEEP_BACKUPS": ""}


@dataclass(frozen=True)
class Wish:
    """What is asked for.

    port: 0 for the next free one. data: "" for the default place. ttl: seconds after which the copy
    removes itself, 0 for never.
    """

    port: int = 0
    data: str = ""
    keeps_password: bool = False
    ttl: float = 0.0
    quiet: bool = False


def copy(old: Name, new: Name, wish: Wish, *, root: str) -> str:
    """Make a copy of an instance; returns what was made, as a sentence."""
    if old == new:
        raise SockwakeError("these are the same name", status=USAGE)
    with inventory.held(old, root) as source:
        inventory.require_finished(source)
        origin = of_instance(source)
        _require_movable(origin)
        _require_possible(origin, wish)
        require_asleep(source, origin.settings)
        return _make(origin, new, wish)


def from_backup(backup: Backup, new: Name, wish: Wish, *, root: str) -> str:
    """Make an instance of a backup, which stays; returns what was made, as a sentence.

    The backups of its instance are locked by the caller.
    """
    origin = of_backup(backup, root)
    _require_possible(origin, wish)
    return _make(origin, new, wish)


def _make(origin: Origin, new: Name, wish: Wish) -> str:
    begun, place = _begin(origin, new, wish)
    try:
        if place:
            begun.claim_data(place, make=True)
            _copy_data(origin, place, wish)
        if origin.volumes:
            _copy_volumes(origin, begun.instance, wish)
        if wish.data:
            begun.note_data(wish.data)
        if not (origin.backup and origin.backup.name == new):  # else it is that one again
            backups.note_earlier(begun.final)
        made = begun.publish()
        said = _finish(origin, made, wish)
        files.remove(made.copying_file)
        files.sync(made.etc)
    except BaseException:
        _discard(begun.instance if os.path.isdir(begun.instance.etc) else begun.final)
        begun.prune()
        raise
    begun.release()
    return said


def _require_movable(origin: Origin) -> None:
    """Raise SockwakeError for an instance that has more than files and a data directory."""
    source = origin.instance
    require_movable(source, origin.settings, "copied")
    if others := inventory.others(source.etc):
        raise SockwakeError(
            f"{source.etc} has files that are not sockwake's: {listed(others)}",
            "move them away, and copy them yourself",
        )
    if kept := layers.has_volumes(source):
        raise SockwakeError(
            f"its image keeps data in {listed(kept)}, which are not copied with it",
            "move them into a directory, by --mount and --data",
        )


def _require_possible(origin: Origin, wish: Wish) -> None:
    """Raise SockwakeError for what cannot be copied."""
    source, settings = origin.instance, origin.settings
    if origin.backup:
        unserved.require_known(origin.backup)
    else:
        upgraded.require_settled(source)
    for path in (origin.data if origin.backup else settings.data, origin.volumes):
        safe_path.require_in_tree(source.root, path)
    if wish.data:
        claims.require_no_system_place(wish.data)
    if _is_made(origin) and not origin.backup:
        cluster.require_there(settings)
    if wish.data and not settings.data:
        raise SockwakeError(f"instance '{source.name}' has no data directory", status=USAGE)
    if _rotates(origin, wish) and not _password(source):
        raise SockwakeError(
            f"the superuser's password is not known: {source.password_file} has none",
            "write it there, or give the copy the same with --keep-password",
        )


def _keeps(origin: Origin, wish: Wish) -> bool:
    """Whether the copy's cluster keeps the password; in a tree nothing can be started."""
    return _is_made(origin) and (wish.keeps_password or bool(origin.instance.root))


def _rotates(origin: Origin, wish: Wish) -> bool:
    """Whether the copy's cluster has to be given another one."""
    return _is_made(origin) and not _keeps(origin, wish)


def _is_made(origin: Origin) -> bool:
    return origin.settings.has_cluster and not os.path.exists(origin.instance.uninitialised_file)


def _password(source: Instance) -> str:
    return files.text_of(source.password_file).partition("\n")[0]


def _begin(origin: Origin, name: Name, wish: Wish) -> tuple[draft.Draft, str]:
    """Write the files as a draft; returns it, and the data directory to be filled, or "".

    What a copy that was killed has left of the name is removed first.
    """
    source, root = origin.instance, origin.instance.root
    target = Instance(name, root)
    while True:
        with inventory.locked(root):
            left = _left(source, target)
            if not left:
                place = _place(origin, target, wish)
                texts = copied_files.texts(
                    source, target, wish.port, wish.data, keeps_password=_keeps(origin, wish)
                )
                if wish.ttl:
                    mode, env = texts["instance.env"]
                    # what goes is not backed up unasked: these backups would outlive it
                    texts["instance.env"] = (mode, lines.changed(env, _NO_BACKUPS))
                    texts[expiring.FILE] = (0o644, expiring.note(wish.ttl))
                texts["copying"] = (0o644, f"{source.name}\n")
                is_made = bool(place) and not os.path.exists(source.uninitialised_file)
                return draft.Draft(name, root, texts), place if is_made else ""
            lock = inventory.take(left)
        if lock < 0:
            raise SockwakeError(f"instance '{name}' is being made", status=EXISTS)
        try:
            _discard(left)
        finally:
            os.close(lock)


def _left(source: Instance, target: Instance) -> Instance | None:
    """What a killed copy, or a killed sockwake-new, has left of a name; raises SockwakeError."""
    if files.text_of(target.copying_file).strip() == source.name and not _is_used(target):
        return target
    inventory.require_free(target.name, target.root)
    return inventory.draft_of(target.name, target.root)


def _is_used(target: Instance) -> bool:
    """Whether a copy that is not finished has been opened to clients, who may have written to it.

    Only an administrator does that.
    """
    if not inventory.is_finished(target) or target.root or not systemctl.is_running():
        return False
    unit = target.socket_unit
    return systemctl.is_enabled(unit) or not systemctl.is_down(unit)


def _place(origin: Origin, target: Instance, wish: Wish) -> str:
    """The data directory of the copy, empty; "" when there are no data to copy."""
    if not origin.data:
        return ""
    place = target.root + (wish.data or target.data)
    if origin.is_private:
        place = f"{target.root}/var/lib/private/sockwake/{target.name}"  # of a DynamicUser=
    if not target.root:
        safe_path.require_safe(place, "data directory")
    claims.require_own(place, target.root)
    if os.path.lexists(place) and (not os.path.isdir(place) or os.listdir(place)):
        raise SockwakeError(f"data directory {place} is not empty", "--data names another", EXISTS)
    return place


def _copy_data(origin: Origin, place: str, wish: Wish) -> None:
    def copied(is_wanted: tree_copy.Asked) -> None:
        deletion.contents(place)  # of one that was interrupted
        real = os.path.realpath(origin.data)
        tree_copy.copy(real, place, quiet=wish.quiet, is_wanted=is_wanted)

    settings = origin.settings
    if origin.backup:
        copied(lambda: False)
    else:
        undisturbed(origin.instance, settings, copied, inventory.say)
    unserved.leave_out(origin.instance, place)
    tree_copy.sync(place)
    for left in ("sockwake-password", "postmaster.pid", f"{settings.major}/docker/postmaster.pid"):
        if settings.has_cluster:
            files.remove(f"{place}/{left}")
    if settings.has_cluster and settings.runtime == HOST and not origin.instance.root:
        from sockwake.lifecycle import hosted

        # it may come from another machine, where the same user has another number
        owner = f"{hosted.server_user(origin.instance)}:"
        cluster.hand_over(place, pgdata(place, settings.major), owner)


def _copy_volumes(origin: Origin, target: Instance, wish: Wish) -> None:
    """Copy what its image keeps where nothing is mounted, before the first wake looks for it."""
    place = layers.make_volumes(target)
    tree_copy.copy(origin.volumes, place, quiet=wish.quiet)
    tree_copy.sync(place)


def _finish(origin: Origin, made: Instance, wish: Wish) -> str:
    """All that is to do when the copy has its data; returns what was made."""
    settings = load(made)
    said = [f"made {made.name}, a copy of {origin.title}, at port {settings.port}"]
    if _keeps(origin, wish):
        said.append("it has the same password")
    if made.root or not systemctl.is_running():
        return "; ".join(said)
    systemctl.reload()
    if wish.ttl:
        expiring.start_timer(made)
        said.append(f"it goes at {expiring.told(made)}")
    if settings.is_bundled and cluster.exists(settings):
        _make_bundle(origin, made, settings)
    if _rotates(origin, wish):
        from sockwake.admin.change import rotation

        inventory.say("changing the password of the copy")
        rotation.rotate(made, settings, _password(origin.instance), _password(made))
        said.append("it has a password of its own")
    enable = scope.command("systemctl enable --now", made.socket_unit)
    return "; ".join([*said, f"next: {enable}"])


def _make_bundle(origin: Origin, made: Instance, settings: Settings) -> None:
    """Make the copy's bundle of the image that the original has, or had if it is here still."""
    from sockwake.lifecycle import bundled

    image = store.find(origin.image, made.root)
    if not image and origin.backup:
        return  # its first wake finds the image
    bundled.write(made, bundled.Definition(made, settings, image=image))


def _discard(instance: Instance) -> None:
    """Remove what there is of a copy that is not whole."""
    if inventory.is_finished(instance) and not instance.root and systemctl.is_running():
        with suppress(SockwakeError):
            systemctl.stop(instance.proxy_unit, instance.backend_unit)
    making.discard(instance)
    if inventory.is_finished(instance) and not instance.root and systemctl.is_running():
        with suppress(SockwakeError):
            systemctl.reset(instance.proxy_unit, instance.backend_unit)
            systemctl.reload()
