"""sockwake backups ls: every backup there is, also of instances that are no more."""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from fnmatch import fnmatchcase

from sockwake.admin import columns, inventory, operands
from sockwake.admin.words import size
from sockwake.config import scope
from sockwake.config.instance import Instance, Name
from sockwake.errors import UNKNOWN, USAGE, SockwakeError
from sockwake.lifecycle import backups
from sockwake.lifecycle.backups import Backup

_TITLES = ("INSTANCE", "TIMESTAMP", "METHOD", "SIZE", "VERSION", "STATE")


def instances(root: str = "") -> list[Instance]:
    """The instances, also removed ones, that have a directory of backups; raises OSError."""
    found = []
    try:
        entries = sorted(os.listdir(scope.backups(root)))
    except FileNotFoundError:
        return []
    for entry in entries:
        with suppress(SockwakeError):
            found.append(Instance(Name(entry), root))
    return found


def chosen(words: Sequence[str], root: str = "", *, or_all: bool = True) -> list[Instance]:
    """Those that words mean: names, also without a backup, and wildcards; none for all.

    Raises SockwakeError (unknown) for a wildcard that means none of those with backups.
    """
    every = instances(root)
    if not words:
        if or_all:
            return every
        raise SockwakeError(
            "say which instances", f"{scope.command('sockwake backups ls')} lists them", USAGE
        )
    found: dict[Name, Instance] = {}
    for word in words:
        fits = {each.name: each for each in every if fnmatchcase(each.name, word)}
        if not fits and operands.has_pattern([word]):
            raise _none(word)
        found |= fits or {Name(word): Instance(Name(word), root)}
    return list(found.values())


def require_any(instance: Instance) -> None:
    """Raise SockwakeError (unknown) for a name of which there is no directory of backups."""
    if not os.path.lexists(backups.directory(instance)):
        raise _none(instance.name, is_there=inventory.exists(instance))


def _none(word: str, *, is_there: bool = False) -> SockwakeError:
    make = f"{scope.command('sockwake backup', word)} makes one"
    known = f"{scope.command('sockwake backups ls')} shows those there are"
    return SockwakeError(f"there is no backup of '{word}'", make if is_there else known, UNKNOWN)


def select(instance: Instance, timestamp: str, *, may_be_dump: bool = True) -> Backup:
    """The backup with a timestamp, with or without its method; the newest good one for "".

    One of an earlier instance of the name is that only where it has none of its own, and this is
    said. Raises SockwakeError (unknown).
    """
    every = (backups.own(instance) if not timestamp else []) or backups.of(instance)
    found = [each for each in every if may_be_dump or each.method != backups.DUMP]
    if timestamp:
        found = [each for each in found if timestamp in (each.stamp, os.path.basename(each.path))]
    elif good := [each for each in found if each.is_good]:
        found = good
    if found:
        if found[-1].is_earlier and not timestamp and inventory.exists(instance):
            said = (
                f"instance '{instance.name}' has no such backup of its own, and {found[-1].stamp}"
            )
            print(f"sockwake: warning: {said} is of an earlier one of its name", file=sys.stderr)
        return found[-1]
    what = f"backup {timestamp}" if timestamp else "backup"
    beside = "" if may_be_dump or not every else " that has its data as they were"
    raise SockwakeError(
        f"there is no {what} of '{instance.name}'{beside}",
        f"{scope.command('sockwake backups ls', instance.name)} shows those there are",
        UNKNOWN,
    )


def usable(instance: Instance, timestamp: str) -> Backup:
    """The backup with a timestamp to make data of, of which all files are there.

    timestamp: "" for the newest good one that is no dump. Raises SockwakeError.
    """
    backup = select(instance, timestamp, may_be_dump=bool(timestamp))
    if not (timestamp or backup.is_good):
        raise SockwakeError(
            f"no backup of '{instance.name}' is good; the newest is damaged: {backup.damage}",
            f"--from {backup.stamp} takes it all the same",
        )
    backups.require_usable(backup)
    return backup


def rows(found: Sequence[Instance]) -> list[dict[str, object]]:
    """One row for each backup; times in seconds since 1970, bytes with blocks that are shared."""
    return [row(each) for instance in found for each in backups.of(instance)]


def row(each: Backup) -> dict[str, object]:
    """One backup as JSON has it."""
    return {
        "instance": each.name,
        "timestamp": each.stamp,
        "method": each.method,
        "path": each.path,
        "started": int(each.started),
        "finished": int(each.finished),
        "bytes": each.bytes,
        "kind": each.facts.get("kind"),
        "version": each.facts.get("version") or None,
        "system_identifier": each.facts.get("system_identifier"),
        "verified": int(each.verified) or None,
        "damage": each.damage or None,
        "earlier": each.is_earlier,
    }


def table(listed: Sequence[dict[str, object]], *, header: bool) -> str:
    """The rows as text, in columns."""
    lines = [_TITLES] if header else []
    lines += [
        (
            str(row["instance"]),
            str(row["timestamp"]),
            str(row["method"]),
            size(row["bytes"]),
            str(row["version"] or "-"),
            _state(row),
        )
        for row in listed
    ]
    return "".join(f"{line}\n" for line in columns.aligned(lines))


def _state(row: dict[str, object]) -> str:
    if row["damage"]:
        return f"damaged: {row['damage']}"
    state = "verified" if row["verified"] else "whole"
    return f"{state}, of an earlier one" if row["earlier"] else state
