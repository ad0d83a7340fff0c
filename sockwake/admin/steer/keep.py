"""sockwake keep and release: holds, which keep instances awake."""

import os
import sys
from collections.abc import Sequence

from sockwake.admin import columns, inventory
from sockwake.admin.each import do_to_each
from sockwake.admin.steer.wake import require_power
from sockwake.config import scope, similar, timespan
from sockwake.config.instance import Instance, Name
from sockwake.config.settings import load
from sockwake.errors import USAGE, SockwakeError
from sockwake.lifecycle import holds, waking
from sockwake.lifecycle.hold import Hold, moment
from sockwake.system import calendars, process

_TITLES = ("NAME", "ID", "WHO", "SINCE", "UNTIL", "REASON")


def end_of(seconds: float | None, text: str) -> str:
    """When a hold ends, by --for or --until; "" for never. Raises SockwakeError (usage)."""
    if seconds is not None and text:
        raise SockwakeError("--for and --until exclude each other", status=USAGE)
    if seconds is not None:
        return holds.after(seconds) if seconds < timespan.INFINITY else ""
    return holds.at(calendars.moment(text)) if text else ""


def keep(names: Sequence[Name], reason: str, end: str) -> None:
    """Hold instances awake, which wakes them; each hold stays when this has ended."""
    require_power()
    for unit in filter(timespan.is_unit, names):  # keep pg1 --for 2 hours
        if end and not inventory.exists(Instance(unit)):
            problem = similar.no_instance(unit)
            problem.hint = f"a time of several words is quoted, as in --for '2 {unit}'"
            raise problem

    def one(name: Name) -> str:
        instance = Instance(name)
        load(instance)
        taken = holds.take(instance, reason, end=end, tty=terminal())
        _await_awake(instance, taken)
        when = "from now on" if taken.until is None else f"until {moment(taken.until)}"
        back = scope.command("sockwake release", name, f"{taken.id}")
        return f"{name} is kept awake {when}; {back} ends that"

    do_to_each(names, one, "kept awake", quiet=False)


def run(names: Sequence[Name], reason: str, end: str, command: Sequence[str]) -> None:
    """Hold instances awake and become a command; the holds end with it, however that ends.

    Raises SockwakeError, with none held, when one cannot be woken or the command cannot be run.
    """
    require_power()
    reason = reason or _shortened(" ".join(command))
    for name in names:
        load(Instance(name))
    taken: list[Hold] = []
    try:
        for name in names:
            instance = Instance(name)
            hold = holds.take(instance, reason, end=end, pid=os.getpid(), tty=terminal())
            taken.append(hold)
        for name in names:
            waking.wake(Instance(name), Instance(name).backend_unit)
        process.take_over(command, scope.CALLER)
    except BaseException:
        holds.release(*taken)
        raise


def _shortened(text: str) -> str:
    """text as a reason: on one line, and not too long."""
    shown = "".join(c if c.isprintable() else " " for c in text)
    return shown if len(shown) <= 80 else f"{shown[:79]}…"


def _await_awake(instance: Instance, taken: Hold) -> None:
    """Wait until an instance is awake; it is not held when it cannot be woken."""
    try:
        waking.wake(instance, instance.backend_unit)
    except BaseException:
        holds.release(taken)
        raise


def terminal() -> str:
    """The terminal of this process, as in "pts/0"; "" without one."""
    for stream in (sys.stdin, sys.stderr, sys.stdout):
        try:
            return os.ttyname(stream.fileno()).removeprefix("/dev/")
        except (OSError, ValueError, AttributeError):
            continue
    return ""


def release(names: Sequence[Name], numbers: Sequence[int], *, all_of_them: bool) -> None:
    """End holds: those with these numbers, all, or the only one of each instance."""
    require_power()

    def one(name: Name) -> str:
        instance = Instance(name)
        if not inventory.exists(instance):
            load(instance)  # which says that there is none
        ended = _chosen(instance, numbers, all_of_them=all_of_them)
        holds.release(*ended)
        said = "; ".join(f"released {name} {hold.id}, of {hold.sentence()}" for hold in ended)
        return said or f"{name} is kept awake by no hold"

    do_to_each(names, one, "released", quiet=False)


def _chosen(instance: Instance, numbers: Sequence[int], *, all_of_them: bool) -> list[Hold]:
    found = holds.holds(instance)
    if numbers:
        chosen = [hold for hold in found if hold.id in numbers]
        if missing := sorted(set(numbers) - {hold.id for hold in chosen}):
            raise SockwakeError(
                f"instance '{instance.name}' has no hold {missing[0]}",
                f"{scope.command('sockwake keep')} lists those there are",
            )
        return chosen
    if len(found) > 1 and not all_of_them:
        listed = "; ".join(f"{hold.id}: {hold.sentence()}" for hold in found)
        raise SockwakeError(
            f"instance '{instance.name}' has {len(found)} holds ({listed})",
            "say which number, or --all",
        )
    return found


def split(words: Sequence[str]) -> tuple[list[str], list[int]]:
    """The operands of release as names and numbers: no name begins with a digit."""
    names = [word for word in words if not word.isdecimal()]
    return names, [int(word) for word in words if word.isdecimal()]


def rows() -> list[dict[str, object]]:
    """Every hold: the name of its instance, and Hold.facts()."""
    return [
        {"name": name, **hold.facts()}
        for name, found in sorted(holds.every().items())
        for hold in found
    ]


def table(*, header: bool) -> str:
    """Every hold as text, in columns; "" when there is nothing to print."""
    lines = [_TITLES] if header else []
    for name, found in sorted(holds.every().items()):
        for hold in found:
            end = "-" if hold.until is None else moment(hold.until)
            since = moment(hold.since)
            lines.append((name, f"{hold.id}", hold.holder, since, end, hold.reason or "-"))
    return "".join(f"{line}\n" for line in columns.aligned(lines)) if lines else ""
