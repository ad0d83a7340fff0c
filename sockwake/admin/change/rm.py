"""sockwake rm: remove an instance, and with --purge its data."""

import os

from sockwake.admin import inventory, preset
from sockwake.admin.backup import restored
from sockwake.admin.change import former, opening, read_only, unread
from sockwake.admin.change.handback import hand_back
from sockwake.admin.make import claims, draft, new
from sockwake.admin.words import listed
from sockwake.config import schedule, scope
from sockwake.config.instance import Instance, Name
from sockwake.config.settings import Settings, load
from sockwake.engine import belongings, resources
from sockwake.engine.api import socket_of
from sockwake.errors import SockwakeError
from sockwake.lifecycle import backups, drain, expiring, holds, upkeep
from sockwake.oci import bundle, layers
from sockwake.postgres import password
from sockwake.system import deletion, safe_path, systemctl


def remove_expired(name: Name) -> list[str]:
    """Remove an instance whose time is over, with its data; its clients are sent away.

    Returns one sentence for each thing that was deleted. Raises SockwakeError.
    """
    with inventory.held(name) as instance:
        expiring.require_over(instance)
        _require_deletable(instance, load(instance))
        expiring.end_use(instance)
    return remove(name, purge=True)


def remove(name: Name, *, purge: bool, root: str = "", reload: bool = True) -> list[str]:
    """Remove an instance; returns one sentence for each thing that was deleted or left.

    reload: whether systemd reads its units anew at once; else the caller has it do that.
    Raises SockwakeError (in use) while clients are connected. /etc/sockwake/NAME is removed last:
    until then the call can be repeated. Data that stay keep their password, for an instance that
    adopts them.
    """
    with inventory.held(name, root) as instance:
        settings = unread.settings_of(instance, purge=purge)
        data = settings.data if settings else unread.data_of(instance)
        if not root:
            if settings:
                stop = scope.command("systemctl", "stop", instance.socket_unit, instance.proxy_unit)
                drain.require_no_clients(instance, settings, f"{stop} sends them away")
            else:
                unread.require_asleep(instance)
            release = scope.command("sockwake release", name, "--all")
            holds.require_none(instance, f"{release} ends that")
            safe_path.require_safe(data, "data directory")
        if purge:
            _require_deletable(instance, settings)
        note = restored.read(instance)  # raises, and nothing is changed yet
        _require_writable(instance, data, note, purge=purge)
        _stop(instance)
        volumes = _volumes(instance, settings, purge=purge)
        kept = layers.has_volumes(instance)
        volumes += [f"deleted what its image kept in {each}" for each in kept]
        said = [*_directory(instance, data, note, purge=purge), *volumes]
        new.forget_run(instance)
        bundle.remove(instance)
        upkeep.forget(instance)
    if not root and systemctl.is_running():
        units = (instance.socket_unit, instance.proxy_unit, instance.backend_unit)
        left = schedule.services(name)  # of its sleep that this was, a backup waits for its lock
        systemctl.stop(*left)
        systemctl.reset(*units, *left)
        if reload:
            systemctl.reload()
    return said


def _require_deletable(instance: Instance, settings: Settings | None) -> None:
    """Raise SockwakeError when --purge would delete something that is not this instance's data.

    And when it could not tell what there is to delete.
    """
    data = settings.data if settings else ""
    deletion.require_no_mount(_place(instance), below=True)
    if data:
        deletion.require_no_mount(data, below=True)
        claims.require_own(data, instance.root, but=instance)
        if os.path.lexists(data):
            draft.require_noted(instance, data)
    if settings and not instance.root:
        from sockwake.admin.change import unmounted  # 10 ms that only a purge needs

        if data:
            unmounted.require_unmounted(instance, data)
        unmounted.require_volumes_known(instance, settings)


def _require_writable(
    instance: Instance, data: str, note: restored.Note | None, *, purge: bool
) -> None:
    """Raise SockwakeError when it could not be removed once its port is closed.

    note: of the last restore.
    """
    places = [upkeep.note_file(instance), *(note.kept if note and purge else ())]
    if not os.path.isdir(data):
        read_only.require_movable(instance, *places)
        return
    is_whole = purge and not os.path.islink(data) and not deletion.is_mount(data)
    read_only.require_movable(instance, *places, *([data] if is_whole else []))
    if purge:
        read_only.require_writable(data)
    elif not instance.root and password.to_keep(instance):
        hint = f"move {instance.password_file} away, and keep it as long as the data"
        read_only.require_writable(data, hint)


def _stop(instance: Instance) -> None:
    """Close its port, and end it; after an error or an interruption it is open as it was."""
    is_live = not instance.root and systemctl.is_running()
    before = opening.state(instance, is_live=is_live)
    try:
        _close_and_end(instance, is_live=is_live)
    except BaseException:
        opening.enable(instance, before)
        if is_live:
            opening.open_again(instance, before)
        raise


def _close_and_end(instance: Instance, *, is_live: bool) -> None:
    if inventory.is_finished(instance):
        systemctl.disable(instance.socket_unit, root=instance.root)
        preset.remove(instance)
    if is_live:
        if systemctl.main_pid(instance.backend_unit):
            inventory.say(f"waiting for {instance.backend_unit} to stop")
        systemctl.forget_times(*opening.close(instance))
        new.end_making(instance)


def _directory(
    instance: Instance, data: str, note: restored.Note | None, *, purge: bool
) -> list[str]:
    """Delete or leave the data and the directory in /etc; one sentence for each.

    note: of the last restore.
    """
    said = _kept(instance, note, purge=purge)
    if not inventory.is_finished(instance) and not draft.delete_made_data(instance):
        said.append(f"left what another program has put into {data} since")
    elif purge and data and os.path.isdir(data):
        draft.delete_data(data)
        said.append(f"deleted the data in {data}")
    elif data and os.path.isdir(data):
        kept = not instance.root and password.keep_password(instance, data)
        said.append(f"left the data{' and their password' if kept else ''} in {data}")
    if _has_backups(instance):
        said.append(f"left its backups in {backups.directory(instance)}")
    place, beside = _place(instance), _beside(instance)
    if purge:
        for name in beside:
            _delete(f"{place}/{name}")
    draft.delete(instance)
    if not beside:
        return [f"removed {place}", *said]
    names = f"{listed(beside)} in {place}"
    if purge:
        return [f"removed {place}", f"deleted {names}", *said]
    return [f"removed sockwake's own files in {place}", f"left {names}", *said]


def _has_backups(instance: Instance) -> bool:
    """Whether there are backups of it; those that a link has out of its tree are another's."""
    try:
        return bool(backups.of(instance))
    except SockwakeError:
        return False


def _kept(instance: Instance, note: restored.Note | None, *, purge: bool) -> list[str]:
    """Delete or leave what the last restore has kept; one sentence, or none."""
    if not note:
        return []
    if note.is_untouched:
        note.discard(instance)
        return []
    if purge and note.phase == restored.DONE:
        note.delete_kept()
        return [f"deleted what its last restore has kept in {listed(note.kept)}"]
    return [f"left what its last restore has kept in {listed(note.kept)}"]


def _place(instance: Instance) -> str:
    """The final directory in /etc, also of a draft."""
    return Instance(instance.name, instance.root).etc


def _beside(instance: Instance) -> list[str]:
    """The names of files in it that are not sockwake's; none behind a symbolic link."""
    return [] if os.path.islink(_place(instance)) else inventory.others(_place(instance))


def _delete(path: str) -> None:
    """Delete a file, or a directory with all that is in it."""
    if os.path.isdir(path) and not os.path.islink(path):
        deletion.tree(path)
    else:
        os.unlink(path)


def _volumes(instance: Instance, settings: Settings | None, *, purge: bool) -> list[str]:
    """Remove the containers, and delete or leave the volumes of compose; one sentence for each."""
    said = []
    engines = resources.running(instance, settings)
    if settings and settings.needs_engine and not (engines or instance.root):
        path = socket_of(settings.engine)
        said.append(f"left what {settings.engine} may have of it, as it does not answer at {path}")
    others = [] if instance.root else former.engines(instance, engines)
    said += [f"removed its container in {each.program}, which it had before" for each in others]
    for engine in [*engines, *others]:
        if settings and settings.is_project and inventory.is_finished(instance):
            given = hand_back(engine, instance, settings, purge=purge)
            if any(each.startswith("deleted") for each in given):
                backups.note_earlier(instance)
            said += given
            continue
        names = belongings.volumes(engine, instance)
        resources.remove_from(engine, instance, settings)
        for name in names:
            if purge:
                engine.call("DELETE", f"/volumes/{name}")
            said.append(f"{'deleted' if purge else 'left'} the volume {name}")
    return [*dict.fromkeys(said)]
