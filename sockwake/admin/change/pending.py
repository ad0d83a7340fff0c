"""What there is to do until an instance is as its files say: looked for, and done."""

import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from sockwake.admin import inventory
from sockwake.admin.change import drop_ins
from sockwake.admin.change.seen import Seen
from sockwake.clients import connections, listening
from sockwake.config.instance import Instance
from sockwake.config.settings import Settings
from sockwake.engine import api, belongings, resources
from sockwake.engine.api import Engine, EngineError
from sockwake.engine.container import Container
from sockwake.errors import IN_USE, SockwakeError
from sockwake.lifecycle import holds
from sockwake.lifecycle.still import held_back
from sockwake.oci import bundle
from sockwake.postgres import cluster
from sockwake.system import files, procnet, safe_path, systemctl

_NOTE = "the first wake makes what is to be in its data directory\n"
OPENING = "systemctl enable --now"
_UP = ("active", "activating", "reloading")


@dataclass(frozen=True)
class Pending:
    """What there is to do.

    reload: systemd has to read its units anew. reopen: its port is to be opened anew. is_new: its
    data have never been made. make: "bundle" or "container", when that is missing or outdated.
    is_awake: its backend runs. reroute: it has to be stopped, as only a wake makes what the next
    proxy is to be started in. clients: connections that this, or a new opening of the port, would
    cut. is_open: its port is open, as systemd has it. hours: those in which it is kept awake are
    others by then.
    """

    reload: bool = False
    reopen: bool = False
    is_new: bool = False
    make: str = ""
    is_awake: bool = False
    reroute: bool = False
    clients: int = 0
    is_open: bool = False
    hours: bool = False

    def __bool__(self) -> bool:
        return self.reload or self.reopen or self.is_new or bool(self.make and not self.is_awake)

    @property
    def sentences(self) -> list[str]:
        """What is to be done, each as the end of a sentence."""
        cut = f", which cuts {counted(self.clients)}" if self.clients else ""
        said = {
            "its data are to be made": self.is_new,
            "systemd has to read its units anew": self.reload,
            f"its port has to be opened anew{cut}": self.reopen,
            f"its server has to be stopped, as it is reached otherwise{cut}": self.reroute,
            f"its {self.make} has to be made anew": bool(self.make) and not self.is_awake,
            f"its {self.make} is made anew by the next wake": bool(self.make) and self.is_awake,
        }
        return [sentence for sentence, holds in said.items() if holds]


def counted(clients: int) -> str:
    return f"{clients} connected client{'s' if clients > 1 else ''}"


def look(
    instance: Instance, settings: Settings, texts: Mapping[str, str], seen: Seen | None = None
) -> Pending:
    """What there is to do. texts: of its files, by name, that are about to be written.

    seen: a look at this instance and others, for which another is not worth it. In a tree, where
    nothing runs, only whether its data are to be made.
    """
    is_new = never_made(instance, settings)
    if instance.root or not systemctl.is_running():
        return Pending(is_new=is_new)
    seen = seen or Seen([instance])
    read, wanted = drop_ins.read(instance), seen.wanted(instance, texts)
    units = (instance.socket_unit, instance.proxy_unit, instance.backend_unit)
    is_open = seen.state(instance.socket_unit) in _UP
    is_other = drop_ins.listening(read, instance) != drop_ins.listening(wanted, instance)
    reopen = is_open and (is_other or not drop_ins.all_open(settings))
    is_awake = seen.state(instance.backend_unit) in (*_UP, "deactivating")
    tcp = f"{instance.proxy_unit}.d/tcp.conf"
    is_led_elsewhere = (tcp in read) != (tcp in wanted)
    reroute = is_awake and (is_led_elsewhere or (reopen and _is_moved(instance, settings)))
    cuts = reopen or reroute
    hours = f"pg-hours@{instance.name}.timer.d/hours.conf"
    return Pending(
        reload=read != wanted or seen.is_stale(*units),
        reopen=reopen,
        is_new=is_new,
        make=_outdated(instance, settings, is_edited=bool(texts), is_new=is_new),
        is_awake=is_awake,
        reroute=reroute,
        clients=_connected(settings, drop_ins.streams(read, instance)) if cuts else 0,
        is_open=is_open,
        hours=is_open and read.get(hours) != wanted.get(hours),
    )


def _is_moved(instance: Instance, settings: Settings) -> bool:
    """Whether a project that is awake has proxies for other ports than these."""
    if not settings.is_project:
        return False
    from sockwake.lifecycle import project  # late: few instances are one

    return not project.is_woken_for(instance, settings)


def never_made(instance: Instance, settings: Settings) -> bool:
    """Whether its data were never made: a configuration tool has put its files there.

    Nothing speaks of data that there were: neither a password nor a bundle nor a container.
    """
    if not settings.has_cluster or os.path.exists(instance.uninitialised_file):
        return False
    if cluster.exists(settings) or files.exists(instance.password_file):
        return False
    if os.path.isdir(settings.data) and os.listdir(settings.data):
        return False
    has_bundle = files.exists(f"{bundle.path(instance)}/image")
    return not has_bundle and not _is_known_to_an_engine(instance)


def _is_known_to_an_engine(instance: Instance) -> bool:
    try:
        engines = [] if instance.root else resources.engines_of(None)
        return any(belongings.has_container(engine, instance) for engine in engines)
    except EngineError as error:
        if error.is_denied:
            raise
        return True  # nobody knows


def _outdated(instance: Instance, settings: Settings, *, is_edited: bool, is_new: bool) -> str:
    """ "bundle" or "container", when it is missing or was made of other files; else ""."""
    if settings.is_bundled:
        return "" if bundle.is_current(instance) and not is_edited else "bundle"
    if not settings.needs_engine or settings.is_project:
        return ""
    if is_edited or is_new:
        return "container"
    if not os.path.exists(api.socket_of(settings.engine)):
        return ""
    try:
        container = Container(instance.container, Engine.of(settings))
        found = container.search(instance.fingerprint()).result()
    except EngineError as error:
        if error.is_denied:
            raise
        return ""  # the next wake sees
    return "" if found.is_current else "container"


def _connected(settings: Settings, places: tuple[tuple[str, int], ...]) -> int:
    """The connections to the places where the socket listens by now."""
    return connections.connected(listening.at(settings, places))


def require_harmless(instance: Instance, found: Pending, *, force: bool) -> None:
    """Raise SockwakeError (in use) when clients would be cut, unless that is wanted."""
    if found.clients and not force:
        what = "a new opening of its port" if found.reopen else "another way to its server"
        raise SockwakeError(
            f"instance '{instance.name}' has {counted(found.clients)}, which {what} would cut",
            "--force does it all the same",
            IN_USE,
        )


def do(instance: Instance, settings: Settings, found: Pending, *, quiet: bool) -> None:
    """Do what there is to do; raises SockwakeError."""
    if found.is_new:
        files.replace(instance.uninitialised_file, 0o644, _NOTE)
    if instance.root or not systemctl.is_running():
        return
    if found.make and found.is_awake:
        _require_makeable(instance, settings, quiet=quiet)
    was_open = drop_ins.streams(drop_ins.read(instance), instance) if found.reopen else ()
    if found.reload:
        systemctl.reload()
    if found.reroute:
        _stop(instance)
    if found.hours:
        look_at_hours(instance)
    if found.reopen:
        _reopen(instance)
        _delete_sockets({item for item, _ in was_open} - {*settings.listen})
    if found.make and not found.is_awake:
        make(instance, settings, quiet=quiet)


def look_at_hours(instance: Instance) -> None:
    """Have a hold taken or released at once, as the hours say that systemd has read."""
    systemctl.start_later(f"pg-hours@{instance.name}.service")


def _stop(instance: Instance) -> None:
    """Stop its server, and its proxy; one that is held is started again."""
    systemctl.stop(instance.proxy_unit, instance.backend_unit)
    if holds.is_held(instance):
        systemctl.start(instance.backend_unit)


def _reopen(instance: Instance) -> None:
    """Open the port as systemd has read it; one that was closed meanwhile stays so."""
    if systemctl.active_state(instance.socket_unit) in _UP:
        systemctl.restart(instance.socket_unit)


def _delete_sockets(paths: set[str]) -> None:
    """Delete unix sockets on which nobody listens: systemd forgot them when it read its units.

    In a place where others could put a link they stay.
    """
    for path in (each for each in paths if each.startswith("/")):
        with suppress(SockwakeError, OSError):
            safe_path.require_safe(path, "socket")
            if stat.S_ISSOCK(os.lstat(path).st_mode) and not any(procnet.NOW.unix(path)):
                os.unlink(path)


def _require_makeable(instance: Instance, settings: Settings, *, quiet: bool) -> None:
    """Raise SockwakeError for what the next wake could not make; the image is obtained for it."""
    from sockwake.lifecycle import destination

    is_made = not settings.has_cluster and not os.path.exists(instance.uninitialised_file)
    if settings.data and is_made and not os.path.isdir(settings.data):
        raise SockwakeError(
            f"cannot use data directory {settings.data}: there is none", "is its disk mounted?"
        )
    destination.prepare(instance, settings, quiet=quiet)


def make(instance: Instance, settings: Settings, *, quiet: bool) -> None:
    """Make bundle or container while wakes wait; a client that comes is served behind that."""
    from sockwake.lifecycle import destination

    inventory.say(f"preparing '{instance.name}'")
    destination.prepare(instance, settings, quiet=quiet)
    with held_back(instance):
        if systemctl.active_state(instance.backend_unit) in _UP:
            return  # a client has come, whose wake makes it
        destination.make(instance, settings)
