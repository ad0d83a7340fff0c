"""sockwake rm: an instance goes, its data only when told."""

import os
import shutil

from sockwake import clients, cluster, compose, inventory, netns, new, scope, systemctl, trust
from sockwake.engine import engines_of
from sockwake.errors import IN_USE, UNKNOWN, SockwakeError
from sockwake.instance import Instance, Name


def remove(name: Name, *, purge: bool, root: str = "") -> list[str]:
    """Remove an instance and return one sentence for each thing that was deleted or left.

    Refuses (in use) while clients are connected. /etc/sockwake/NAME goes last: until then it can be called again.
    Data that stay keep their password beside them, for the instance that adopts them.
    """
    with inventory.locked(root):
        instance = _find(name, root)
        data = instance.settings().data if purge and inventory.is_finished(instance) else inventory.data_of(instance)
        if not root:
            _require_quiet(instance)
            trust.require_way(data, "data directory")
        if inventory.is_finished(instance):
            systemctl.disable(instance.socket_unit, root=root)
        if not root and systemctl.is_running():
            systemctl.stop(instance.socket_unit, instance.proxy_unit, instance.backend_unit)
        new.remove_containers(instance)
        said = [f"removed {Instance(name, root).etc}", *_volumes(instance, purge=purge)]
        if not inventory.is_finished(instance) and not inventory.delete_made_data(instance):
            said.append(f"left alone what somebody has put into {data} since")
        elif purge and data and os.path.isdir(data):
            inventory.delete_data(data)
            said.append(f"deleted the data in {data}")
        elif data and os.path.isdir(data):
            kept = not instance.root and cluster.keep_password(instance, data)
            said.append(f"left the data{' and their password' if kept else ''} in {data}")
        inventory.delete(instance)
    netns.forget(instance)
    shutil.rmtree(instance.run, ignore_errors=True)
    if not root and systemctl.is_running():
        systemctl.reset(instance.socket_unit, instance.proxy_unit, instance.backend_unit)
        systemctl.reload()
    return said


def _find(name: Name, root: str) -> Instance:
    """The instance, finished or not."""
    instance = Instance(name, root)
    if not os.path.isdir(instance.etc):
        draft = inventory.draft_of(name, root)
        if not draft:
            raise SockwakeError(
                f"there is no instance '{name}'", f"{scope.command('sockwake ls')} shows those there are", UNKNOWN
            )
        if not inventory.is_abandoned(draft):
            raise SockwakeError(f"instance '{name}' is being made by a sockwake-new", status=IN_USE)
        return draft
    return instance


def _require_quiet(instance: Instance) -> None:
    try:
        count = clients.connected(instance.settings())
    except SockwakeError:
        return
    if count:
        raise SockwakeError(
            f"instance '{instance.name}' has {count} connected client{'s' if count > 1 else ''}",
            f"{scope.command('systemctl', f'stop {instance.socket_unit} {instance.proxy_unit}')} sends them away",
            IN_USE,
        )


def _volumes(instance: Instance, *, purge: bool) -> list[str]:
    """Delete the volumes a compose file named and compose has made, or leave them; one sentence for each."""
    said = []
    for engine in [] if instance.root else engines_of(instance):
        for name in compose.volumes(engine, instance.container):
            if purge:
                engine.call("DELETE", f"/volumes/{name}")
            said.append(f"{'deleted' if purge else 'left'} the volume {name}")
    return said
