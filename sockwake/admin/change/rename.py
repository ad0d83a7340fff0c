"""sockwake rename OLD NEW: another name for an instance that sleeps, whole or not at all.

The directory in /etc gets the new name by one rename(2): before it all is the old instance, and
behind it the new one. What is left to do then, the file "renaming" in it tells: the same command
goes on with that when it was killed.
"""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress

from sockwake.admin import inventory, preset
from sockwake.admin.backup import restored, staged
from sockwake.admin.change import former, lines, new_name, opening, pending, read_only
from sockwake.admin.change.asleep import require_movable
from sockwake.admin.make import new as making
from sockwake.admin.upkeep import upgraded
from sockwake.config import forwarding, schedule, scope
from sockwake.config.instance import Instance, Name
from sockwake.config.settings import Settings, load
from sockwake.engine import resources
from sockwake.errors import EXISTS, USAGE, SockwakeError
from sockwake.lifecycle import backups, drain, holds, upkeep
from sockwake.lifecycle.still import held_back, require_asleep
from sockwake.oci import bundle, layers
from sockwake.system import deletion, files, systemctl


def rename(old: Name, new: Name, *, root: str) -> str:
    """Give an instance another name; returns what was done, as a sentence."""
    if old == new:
        raise SockwakeError("these are the same name", status=USAGE)
    if _is_begun(old, new, root):
        with inventory.held(new, root) as instance, _backups_held(Instance(old, root)):
            return _finish(instance, Instance(old, root))
    with inventory.held(old, root) as instance, _backups_held(Instance(old, root)):
        inventory.require_finished(instance)
        restored.require_none(instance)  # it has places with the old name
        upgraded.require_settled(instance)  # its note has texts with the old name
        settings = load(instance)
        require_movable(instance, settings, "renamed")
        _require_unused(instance, settings)
        target = Instance(new, root)
        _require_free(instance, settings, target)
        read_only.require_movable(instance, *_places(instance))
        with _down(instance, settings, target):
            with inventory.locked(root):
                inventory.require_free(new, root)
                backups.note_earlier(target)  # before it has any of its own there
                os.rename(instance.etc, target.etc)
                files.sync(scope.etc(root))
            return _finish(target, instance)


def _backups_held(old: Instance) -> AbstractContextManager[object]:
    """No backup of it is made, verified or deleted meanwhile; raises SockwakeError (in use)."""
    return staged.locked(old) if os.path.isdir(backups.directory(old)) else nullcontext()


def _is_begun(old: Name, new: Name, root: str) -> bool:
    """Whether a rename was killed behind its rename(2)."""
    note = files.text_of(Instance(new, root).renaming_file).split()
    return note[:1] == [old] and not os.path.lexists(Instance(old, root).etc)


def _require_unused(instance: Instance, settings: Settings) -> None:
    """Raise SockwakeError (in use) while it is awake or held, or leads clients elsewhere."""
    require_asleep(instance, settings)
    release = scope.command("sockwake release", instance.name, "--all")
    holds.require_none(instance, f"{release} ends that")  # which has the old name
    if forwarding.is_there(instance) and not instance.root:
        stop = scope.command("systemctl stop", instance.proxy_unit)
        drain.require_no_clients(instance, settings, f"{stop} sends them away")


def _require_free(instance: Instance, settings: Settings, target: Instance) -> None:
    """Raise SockwakeError (exists) when something has the new name already."""
    inventory.require_free(target.name, target.root)
    if inventory.others(target.etc):
        raise SockwakeError(f"{target.etc} is in the way", "move it away", EXISTS)
    places = [bundle.path(target), *layers.paths(target)]
    if settings.data in _places(instance):
        places += _places(target)
    for place in places:
        if os.path.lexists(place):
            raise SockwakeError(
                f"{place} is there already, of another instance", "move it away", EXISTS
            )


@contextmanager
def _down(instance: Instance, settings: Settings, target: Instance) -> Iterator[None]:
    """Close the port while wakes are held back; after an error all is as before.

    A client that comes meanwhile is refused, for a moment.
    """
    is_live = not instance.root and systemctl.is_running()
    note = [instance.name, *opening.state(instance, is_live=is_live)]
    with ExitStack() as stack:
        if is_live:
            stack.enter_context(held_back(instance))
            _require_unused(instance, settings)
        try:
            if not os.path.exists(instance.renaming_file):  # else of one that was killed before
                files.replace(instance.renaming_file, 0o644, f"{' '.join(note)}\n")
            if is_live:
                opening.close(instance)
            yield
        except BaseException:
            if os.path.isdir(instance.etc):
                if is_live:
                    opening.open_again(instance, _noted(instance))
                files.remove(instance.renaming_file)
            raise


def _noted(instance: Instance) -> list[str]:
    return files.text_of(instance.renaming_file).split()[1:]


def _finish(instance: Instance, old: Instance) -> str:
    """All that is left to do when its directory has the new name; can be repeated."""
    _move_data(instance, old)
    _write_names(instance, old)
    settings = load(instance)
    had = bundle.path(old)
    if os.path.isdir(had):
        # it is made anew, of the image that it has
        files.remove(f"{had}/made-of/instance.env")
        os.rename(had, bundle.path(instance))
    layers.hand_on(old, instance)
    upkeep.hand_on(old, instance)
    left = _hand_on_backups(old, instance)
    noted = _noted(instance)
    is_live = not instance.root and systemctl.is_running()
    if is_live:
        resources.remove_containers(old, settings)
        for engine in former.engines(old, resources.engines_of(settings)):
            resources.remove_from(engine, old, settings)
        making.forget_run(old)
    _enable(instance, old, noted)
    if is_live:
        systemctl.forget_times(*schedule.timers(old.name))
        systemctl.reload()
        opening.open_again(instance, noted)
        systemctl.reset(old.socket_unit, old.proxy_unit, old.backend_unit)
    files.remove(instance.renaming_file)
    files.sync(instance.etc)
    if is_live:
        _make(instance, settings)
    return f"{old.name} is {instance.name} now{left}"


def _hand_on_backups(old: Instance, instance: Instance) -> str:
    """Have its backups go with it; returns what is left of them, as the end of a sentence."""
    had, place = backups.directory(old), backups.directory(instance)
    if not os.path.isdir(had):
        return ""
    with suppress(FileNotFoundError):
        if os.listdir(place):
            return f"; its backups stay in {had}, as {place} has others"
        os.rmdir(place)
    os.rename(had, place)
    files.sync(os.path.dirname(place))
    return ""


def _make(instance: Instance, settings: Settings) -> None:
    """Make bundle or container of the new name, so that the next wake need not."""
    found = pending.look(instance, settings, {})
    if found.make and not found.is_awake:
        with suppress(SockwakeError):  # it will
            pending.make(instance, settings, quiet=True)


def _enable(instance: Instance, old: Instance, noted: list[str]) -> None:
    """Have its port enabled as it was under the old name, and that one no more."""
    opening.enable(instance, noted)
    with suppress(SockwakeError):  # systemctl has no unit of this name any more
        systemctl.disable(old.socket_unit, root=old.root)
    preset.remove(old)


def _places(instance: Instance) -> list[str]:
    """Where its data are unless DATA= names another place; the second is systemd's own."""
    base, name = os.path.split(instance.root + instance.data)
    return [f"{base}/{name}", f"{os.path.dirname(base)}/private/sockwake/{name}"]


def _move_data(instance: Instance, old: Instance) -> None:
    """Give its data directory the new name, if that is its place; a mount stays where it is."""
    (had, own), (place, new_own) = _places(old), _places(instance)
    is_own = os.path.realpath(had) == os.path.realpath(own) or not os.path.lexists(had)
    if os.path.isdir(own) and is_own:
        os.rename(own, new_own)
        files.sync(os.path.dirname(new_own))
        files.remove(had)  # the link, which systemd makes anew
    elif os.path.isdir(had) and not os.path.islink(had) and not deletion.is_mount(had):
        os.rename(had, place)
        files.sync(os.path.dirname(place))


def _write_names(instance: Instance, old: Instance) -> None:
    """Write the new name into its files, and where its data are."""
    stays = os.path.lexists(_places(old)[0])
    for file in ("instance.env", "compose.yaml", "service.conf", inventory.DATA_NOTE):
        path = f"{instance.etc}/{file}"
        if not os.path.exists(path):
            continue
        with open(path, encoding="utf-8", newline="") as opened:
            text = opened.read()
        to = new_name.text_for(file, text, old, instance)
        if stays and file == "service.conf":
            to = new_name.with_place(to, instance.data, old.data)
        if file == "instance.env":
            to = _with_data(to, instance, old, stays=stays)
        elif file == inventory.DATA_NOTE and not stays:
            to = new_name.with_place(text, old.data, instance.data)
        if to != text:
            real = os.path.realpath(path)
            files.replace(real, os.stat(real).st_mode & 0o777, to)


def _with_data(text: str, instance: Instance, old: Instance, *, stays: bool) -> str:
    """instance.env with the place of data that were in the old one's default place."""
    had = Settings(text, old)
    if had.data != old.root + old.data:
        return text
    is_said = any(line.startswith("DATA=") for line in text.splitlines())
    if stays:
        return lines.changed(text, {"DATA": old.data})
    return lines.changed(text, {"DATA": instance.data}) if is_said else text
