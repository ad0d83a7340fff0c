"""sockwake wake, sleep and is-awake."""

import os
import time
from collections.abc import Sequence

from sockwake.admin import inventory
from sockwake.admin.each import do_to_each
from sockwake.clients import listening
from sockwake.config import forwarding, scope
from sockwake.config.instance import Instance, Name
from sockwake.config.settings import load, load_if_valid
from sockwake.errors import SockwakeError
from sockwake.lifecycle import asker, drain, holds, waking
from sockwake.lifecycle.runtime import WAKING
from sockwake.system import systemctl

ASLEEP, UNKNOWN = 3, 4  # exit statuses of is-awake, those of systemctl(1)
Units = dict[str, tuple[str, str]]  # what systemctl.states() tells of units
_UNITS = "pg-p*@*"  # ports, proxies and backends
_NOWHERE = "unknown"  # what is-awake says of a name that no instance has


def require_power() -> None:
    """Raise SockwakeError for a user who may not command systemd."""
    if os.geteuid() and not scope.is_user():
        hint = scope.as_root(or_own=True)
        raise SockwakeError("cannot command systemd: permission denied", hint)


def wake(names: Sequence[Name], *, block: bool, seconds: float) -> None:
    """Wake instances, and say how long that took. seconds: at most, for all of them."""
    require_power()
    began = time.monotonic()
    units = systemctl.states(_UNITS)
    _begin(names, units)

    def one(name: Name) -> str:
        instance = Instance(name)
        settings = load(instance)
        forwarding.require_none(instance)
        if _is_awake(instance, units):
            return f"{name} is awake already"
        if not _is_open(instance, units):
            raise waking.closed(instance)
        if not block:
            return f"{name} is being woken"
        try:
            unit = listening.accepting_unit(instance, settings)
            waking.wake(instance, unit, seconds, began)
        except waking.StillWakingError:
            raise
        except SockwakeError:
            asker.forget(instance)
            raise
        return f"{name} is awake, after {time.monotonic() - began:.2f} s"

    do_to_each(names, one, "woken", quiet=False)


def _begin(names: Sequence[Name], units: Units) -> None:
    """Have systemd wake all of them at the same time; one that is awake has its proxy back.

    What is wrong with one is told when its turn comes.
    """
    wanted = []
    for name in names:
        instance = Instance(name)
        settings = load_if_valid(instance)
        is_led_away = forwarding.is_there(instance)
        if settings and not is_led_away and _is_open(instance, units):
            if not _is_awake(instance, units):
                asker.note(instance)
            # which stays until it has been idle
            wanted.append(listening.accepting_unit(instance, settings))
    if wanted:
        systemctl.start_later(*wanted)


def _is_awake(instance: Instance, units: Units) -> bool:
    """Whether its backend is up and ready."""
    return _active_state(instance.backend_unit, units) == "active" and waking.is_ready(instance)


def _is_open(instance: Instance, units: Units) -> bool:
    """Whether its port is open: nothing else would keep it awake."""
    return _active_state(instance.socket_unit, units) == "active"


def _active_state(unit: str, units: Units) -> str:
    return units.get(unit, ("inactive", ""))[0]


def sleep(names: Sequence[Name], *, force: bool, block: bool, seconds: float) -> None:
    """Put instances to sleep; of one that is used or held only with force."""
    require_power()

    def one(name: Name) -> str:
        instance = Instance(name)
        settings = load(instance)
        began = time.monotonic()
        with holds.NoneTaken(instance):
            taken = holds.holds(instance)
            if taken and not force:
                release = scope.command("sockwake release", name, "--all")
                raise holds.held(instance, taken, f"{release} ends that, or sleep --force")
            is_down = drain.is_down(instance)
            if not is_down:
                drain.begin(instance, settings, force=force, hint="--force sends them away")
                asker.forget(instance)  # of a wake that this ends before it succeeds
        holds.release(*taken)
        if is_down:
            return f"{name} is asleep already"
        if not block:
            return f"{name} is falling asleep"
        if not drain.wait(instance, seconds):
            return f"{name} has been woken again by a client"
        return f"{name} is asleep, after {time.monotonic() - began:.2f} s"

    do_to_each(names, one, "put to sleep", quiet=False)


def words(names: Sequence[Name]) -> list[str]:
    """The state of each instance as systemctl is-active has it; "unknown" where there is none."""
    units = systemctl.states(_UNITS)
    return [_word(Instance(name), units) for name in names]


def _word(instance: Instance, units: Units) -> str:
    if not inventory.exists(instance):
        return _NOWHERE
    state, status = units.get(instance.backend_unit, ("inactive", ""))
    if state == "active" and (status == WAKING or not _may_be_ready(instance)):
        return "activating"
    return state


def _may_be_ready(instance: Instance) -> bool:
    """Whether it is ready, or it is not this user's to know."""
    try:
        return waking.is_ready(instance)
    except PermissionError:
        return True


def status(found: Sequence[str]) -> int:
    """The exit status of is-awake: 0 when any is awake."""
    if "active" in found:
        return 0
    return UNKNOWN if set(found) == {_NOWHERE} else ASLEEP
