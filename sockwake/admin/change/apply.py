"""sockwake apply: have instances be as their files say, which a configuration tool has changed."""

import sys
from collections.abc import Sequence

from sockwake.admin import inventory
from sockwake.admin.change import pending, validate
from sockwake.admin.change.seen import Seen
from sockwake.admin.change.set import open_places, text_of
from sockwake.admin.each import try_each
from sockwake.admin.show import exposure
from sockwake.config import scope
from sockwake.config.instance import Instance, Name
from sockwake.config.settings import Settings
from sockwake.errors import PENDING, SockwakeError
from sockwake.system import systemctl


def apply(name: Name, *, seen: Seen, root: str, force: bool, quiet: bool) -> str:
    """Do what is to do for one instance; returns what was done, as a sentence.

    seen: of all that are applied; what is to be done by that is looked for again before.
    Raises SockwakeError, before anything is touched for what its files have that is invalid.
    """
    with inventory.held(name, root) as instance:
        settings, found = _look(instance, seen)
        if found:
            settings, found = _look(instance)
        if not found:
            return f"{name} is as its files say"
        pending.require_harmless(instance, found, force=force)
        pending.do(instance, settings, found, quiet=quiet)
        if not quiet:
            sys.stderr.write(exposure.aloud(instance, settings, []))
        return "; ".join([f"applied {name}", *_done(instance, found)])


def check(names: Sequence[Name], *, root: str, quiet: bool) -> None:
    """Print what apply() would do; ends the process with PENDING when there is anything.

    Raises SockwakeError at the end when files of an instance cannot be used.
    """
    waiting: list[Name] = []
    seen = Seen([Instance(name, root) for name in names])

    def look(name: Name) -> None:
        instance = Instance(name, root)
        if not inventory.exists(instance):  # or a draft: the same error as ever
            with inventory.held(name, root) as draft:
                inventory.require_finished(draft)
        _, found = _look(instance, seen)
        if found:
            waiting.append(name)
        if found and not quiet:
            print(f"{name}: {'; '.join(found.sentences)}.")

    if problem := try_each(names, look):
        raise SockwakeError("not all of them can be applied", status=problem.status)
    if waiting:
        sys.exit(PENDING)


def _look(instance: Instance, seen: Seen | None = None) -> tuple[Settings, pending.Pending]:
    inventory.require_finished(instance)
    text = text_of(instance)
    settings = validate.require_valid(instance, text, (), open_places(instance, ""))
    return settings, pending.look(instance, settings, {}, seen)


def _done(instance: Instance, found: pending.Pending) -> list[str]:
    said = {
        "its first wake makes its data": found.is_new and bool(instance.root),
        "systemd has read its units": found.reload,
        "its port was opened anew": found.reopen,
        f"its {found.make} was made": bool(found.make) and not found.is_awake,
        f"its {found.make} is made by the next wake": bool(found.make) and found.is_awake,
    }
    done = [sentence for sentence, holds in said.items() if holds]
    if instance.root or not systemctl.is_running():
        return done
    if systemctl.active_state(instance.socket_unit) == "inactive":
        done.append(f"its port is closed: {scope.command(pending.OPENING, instance.socket_unit)}")
    return done
