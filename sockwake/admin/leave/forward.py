"""sockwake forward NAME HOST:PORT…: keep an instance's port open, and lead its clients elsewhere.

The file "forward" is the switch: systemd starts no backend while it is there, and the next
daemon-reload gives the proxy another program. The port stays open all along: a client that comes
meanwhile waits in its queue. A command that was killed behind the file is finished when it is run
again; a backend that still runs then is not woken any more once it has ended.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from sockwake.admin import inventory
from sockwake.admin.change import pending
from sockwake.admin.words import listed
from sockwake.config import forwarding as forwardings
from sockwake.config import scope
from sockwake.config.forwarding import Forwarding, Target
from sockwake.config.instance import Instance, Name
from sockwake.config.settings import Settings, load
from sockwake.errors import FAILED, USAGE, SockwakeError
from sockwake.lifecycle import drain, holds, targets
from sockwake.lifecycle.still import held_back
from sockwake.system import files, systemctl

_HINT = "--force sends them away"


@dataclass(frozen=True)
class Wish:
    """How to switch. force: also with clients, which are sent away. early: to no leader yet."""

    force: bool = False
    early: bool = False


def forward(name: Name, places: Sequence[str], check: str, wish: Wish) -> str:
    """Lead the clients of an instance to other servers; returns what was done, as a sentence.

    Raises SockwakeError with nothing changed: when none of them leads, unless wish.early, and (in
    use) while clients are connected, unless wish.force.
    """
    wanted = Forwarding(places, check)
    with inventory.held(name) as instance:
        inventory.require_finished(instance)
        settings = load(instance)
        _require_possible(name, settings, wanted)
        if _is_done(instance, wanted):
            return f"{name} is forwarded to {wanted} already"
        leader = targets.leader(wanted)
        if not leader and not wish.early:
            raise nobody(wanted)
        release = scope.command("sockwake release", name, "--all")
        holds.require_none(instance, f"{release} ends that")
        _switch(instance, settings, wanted, force=wish.force)
        to = f", now to {leader}" if leader and len(wanted.targets) > 1 else ""
        waits = "" if leader else "; none of them leads yet, and clients wait for up to a minute"
        return (
            f"{name} is forwarded to {wanted}{to}{waits}; its own data sleep as they are, and "
            f"{scope.command('sockwake forward', name)} --back leads clients to them again"
        )


def back(name: Name, wish: Wish) -> str:
    """Lead the clients to the instance's own data again; returns what was done, as a sentence."""
    with inventory.held(name) as instance:
        inventory.require_finished(instance)
        settings = load(instance)
        if _is_done(instance, None):
            return f"{name} is not forwarded"
        _switch(instance, settings, None, force=wish.force)
        return (
            f"{name} wakes for its clients again, with its data as they were when it was "
            "forwarded: what was written elsewhere since is not in them"
        )


def nobody(wanted: Forwarding) -> SockwakeError:
    """The error when no target leads, with what each shows."""
    unknown = [each.host for each in wanted.targets if not targets.addresses(each)]
    if unknown:
        message = f"no address is known of {listed(unknown)}"
    elif len(wanted.targets) == 1 and wanted.check.scheme == forwardings.TCP:
        message = f"{wanted} takes no connections"
    else:
        shown = ", ".join(f"{target} {word}" for target, word in targets.look(wanted))
        message = f"none of the servers leads, as {wanted.check} tells it: {shown}"
    hint = "--leader tells a leader in another way; with --early clients wait until there is one"
    return SockwakeError(message.replace(targets.SILENT, "does not answer"), hint)


def _require_possible(name: Name, settings: Settings, wanted: Forwarding) -> None:
    """Raise SockwakeError for what cannot be forwarded, or would lead to itself."""
    if settings.is_project:
        raise SockwakeError(
            "a compose project is not forwarded: it has several ports, each of another server",
            f"{scope.command('sockwake set', name)} PORTS=... gives those up that have gone",
            USAGE,
        )
    if itself := next((each for each in wanted.targets if _is_itself(each, settings)), None):
        raise SockwakeError(f"{itself} is the port of the instance itself", status=USAGE)


def _is_itself(target: Target, settings: Settings) -> bool:
    """Whether an instance listens at the place of a target."""
    if target.port != settings.port:
        return False
    addresses = targets.addresses(target)
    if addresses & set(settings.listen):
        return True
    is_wide = {"0.0.0.0", "::"} & set(settings.listen)
    return bool(is_wide) and any(map(_is_of_this_host, addresses))


def _is_of_this_host(address: str) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        try:
            sock.bind((address, 0))
        except OSError:
            return False
    return True


def _is_done(instance: Instance, wanted: Forwarding | None) -> bool:
    """Whether clients are led there, or, None, to the instance; and no command was killed within.

    Then systemd has not read the file, or runs what it has started before.
    """
    there = files.text_of(forwardings.path(instance))
    if there != (wanted.text if wanted else "") or forwardings.is_there(instance) != bool(wanted):
        return False
    if not systemctl.is_running():
        return True
    if wanted and not drain.is_down(instance):
        return False
    pid = systemctl.main_pid(instance.proxy_unit)
    return forwardings.is_led(instance) == bool(wanted) and (not pid or _leads(pid) == bool(wanted))


def _leads(pid: int) -> bool:
    """Whether the main process of a proxy leads clients elsewhere, or tells them why it does not.

    Of an instance that is its own, what waits for the backend, or carries connections to it.
    """
    name = files.text_of(f"/proc/{pid}/comm").strip()
    return name in ("forward", "refuse")


def _switch(
    instance: Instance, settings: Settings, wanted: Forwarding | None, *, force: bool
) -> None:
    """Have clients led elsewhere, or, None, to the instance again.

    Raises SockwakeError (in use) with nothing changed while clients are connected, unless force.
    """
    if not systemctl.is_running():
        _write(instance, wanted.text if wanted else "")
        return
    with held_back(instance):
        pid = systemctl.main_pid(instance.proxy_unit)
        was_led = bool(pid) and _leads(pid)
        takes_socket = settings.is_native and not was_led
        accepting = instance.backend_unit if takes_socket else instance.proxy_unit
        seen = drain.as_open(instance, settings)
        with drain.standing_still(instance, accepting):
            if not force:
                drain.require_none(instance, seen, _HINT, served=not was_led)
            _lead(instance, wanted)
        if systemctl.main_pid(instance.backend_unit):
            inventory.say(f"waiting for {instance.backend_unit} to stop")
        drain.end_backend(instance)
        if wanted:
            _end_hours(instance)
    if settings.keep and not wanted and not systemctl.is_down(instance.socket_unit):
        pending.look_at_hours(instance)  # which may have begun meanwhile
    if settings.is_native:
        # a socket that has started its service listens again only behind the end of that, which is
        # another now
        taker = instance.proxy_unit if wanted else instance.backend_unit
        with suppress(SockwakeError):
            systemctl.start(taker)


def _end_hours(instance: Instance) -> None:
    """End the holds of its hours; a timer that the port has started would go on without them."""
    systemctl.stop(f"pg-hours@{instance.name}.timer", f"pg-hours@{instance.name}.service")
    holds.release(*(each for each in holds.holds(instance) if each.is_of_hours))


def _lead(instance: Instance, wanted: Forwarding | None) -> None:
    """Write the file, and have systemd read it; after an error it is as it was before.

    Else neither a backend would be started for the clients, nor would they be led elsewhere.
    """
    before = files.text_of(forwardings.path(instance))
    try:
        _write(instance, wanted.text if wanted else "")
        systemctl.reload()
        _require_read(instance, is_wanted=wanted is not None)
    except BaseException:
        with suppress(OSError, SockwakeError):  # the first error is the one to tell
            _write(instance, before)
            systemctl.reload()
        raise


def _write(instance: Instance, text: str) -> None:
    """Write the file, or, for "", remove it."""
    if text:
        files.replace(forwardings.path(instance), 0o644, text)
    else:
        files.remove(forwardings.path(instance))
        files.sync(instance.etc)


def _require_read(instance: Instance, *, is_wanted: bool) -> None:
    """Raise SockwakeError when systemd has not taken the file for what it is."""
    if forwardings.is_led(instance) != is_wanted:
        raise SockwakeError(
            f"systemd has not read {instance.etc}",
            f"{scope.command('systemctl', 'daemon-reload')}, and run it again",
            FAILED,
        )
