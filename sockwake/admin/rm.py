"""sockwake rm: an instance goes, its data only when told."""

import os

from sockwake.admin import claims, draft, inventory, new
from sockwake.clients import connections
from sockwake.config import scope
from sockwake.config.instance import Instance, Name
from sockwake.config.settings import Settings, load, load_if_valid
from sockwake.engine import belongings
from sockwake.engine.resources import engines_of
from sockwake.errors import IN_USE, SockwakeError
from sockwake.postgres import password
from sockwake.system import deletion, safe_path, systemctl


def remove(name: Name, *, purge: bool, root: str = "") -> list[str]:
    """Remove an instance and return one sentence for each thing that was deleted or left.

    Refuses (in use) while clients are connected. /etc/sockwake/NAME goes last: until then it can be called again.
    Data that stay keep their password beside them, for the instance that adopts them.
    """
    with inventory.held(name, root) as instance:
        is_finished = inventory.is_finished(instance)
        settings = load(instance) if purge and is_finished else load_if_valid(instance)
        data = settings.data if settings else ""
        if not root:
            _require_quiet(instance, settings)
            safe_path.require_safe(data, "data directory")
        if purge:
            _require_deletable(instance, settings, data)
        _stop(instance)
        volumes = _volumes(instance, settings, purge=purge)
        said = [*_directory(instance, data, purge=purge), *volumes]
        new.forget_run(instance)
    if not root and systemctl.is_running():
        systemctl.reset(instance.socket_unit, instance.proxy_unit, instance.backend_unit)
        systemctl.reload()
    return said


def _require_deletable(instance: Instance, settings: Settings | None, data: str) -> None:
    """Raise SockwakeError while everything is still there, when something of another's would be deleted with its data."""
    deletion.require_no_mount(_place(instance), below=True)
    if data:
        deletion.require_no_mount(data, below=True)
        claims.require_own(data, instance.root, but=instance)
        if os.path.lexists(data):
            draft.require_noted(instance, data)
        for engine in [] if instance.root else engines_of(settings):
            belongings.require_unseen(engine, instance, data)


def _stop(instance: Instance) -> None:
    units = (instance.socket_unit, instance.proxy_unit, instance.backend_unit)
    if inventory.is_finished(instance):
        systemctl.disable(instance.socket_unit, root=instance.root)
    if not instance.root and systemctl.is_running():
        if systemctl.main_pid(instance.backend_unit):
            inventory.say(f"waiting for {instance.backend_unit} to stop")
        systemctl.stop(*units)


def _directory(instance: Instance, data: str, *, purge: bool) -> list[str]:
    """Delete, or leave, its data and its directory in /etc; one sentence for each."""
    said = []
    if not inventory.is_finished(instance) and not draft.delete_made_data(instance):
        said.append(f"left alone what somebody has put into {data} since")
    elif purge and data and os.path.isdir(data):
        draft.delete_data(data)
        said.append(f"deleted the data in {data}")
    elif data and os.path.isdir(data):
        kept = not instance.root and password.keep_password(instance, data)
        said.append(f"left the data{' and their password' if kept else ''} in {data}")
    place, beside = _place(instance), _beside(instance)
    if purge:
        for name in beside:
            _delete(f"{place}/{name}")
    draft.delete(instance)
    if not beside:
        return [f"removed {place}", *said]
    names = f"{inventory.listed(beside)} in {place}"
    if purge:
        return [f"removed {place}", f"deleted {names}", *said]
    return [f"removed sockwake's own files in {place}", f"left {names}", *said]


def _place(instance: Instance) -> str:
    """Its directory in /etc, also of an unfinished one."""
    return Instance(instance.name, instance.root).etc


def _beside(instance: Instance) -> list[str]:
    """What is in there that is not sockwake's; what a link leads to goes with nothing."""
    return [] if os.path.islink(_place(instance)) else inventory.others(_place(instance))


def _delete(path: str) -> None:
    """Delete a file, or a directory with all that is in it."""
    if os.path.isdir(path) and not os.path.islink(path):
        deletion.tree(path)
    else:
        os.unlink(path)


def _require_quiet(instance: Instance, settings: Settings | None) -> None:
    if settings and (count := connections.connected(settings)):
        raise SockwakeError(
            f"instance '{instance.name}' has {count} connected client{'s' if count > 1 else ''}",
            f"{scope.command('systemctl', f'stop {instance.socket_unit} {instance.proxy_unit}')} sends them away",
            IN_USE,
        )


def _volumes(instance: Instance, settings: Settings | None, *, purge: bool) -> list[str]:
    """Remove the containers; delete the volumes compose has made for them, or leave them; one sentence for each."""
    said = []
    for engine in [] if instance.root else engines_of(settings):
        names = belongings.volumes(engine, instance)
        is_project = settings is not None and settings.is_project
        belongings.remove(engine, instance, volumes=not is_project)
        for name in names:
            if purge:
                engine.call("DELETE", f"/volumes/{name}")
            said.append(f"{'deleted' if purge else 'left'} the volume {name}")
    return said
