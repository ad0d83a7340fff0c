"""What status says of an instance's backups and upkeep."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping

from sockwake.admin import words
from sockwake.admin.show import ls, overdue, times
from sockwake.config.instance import Instance
from sockwake.config.settings import Settings
from sockwake.errors import SockwakeError
from sockwake.lifecycle import backups, upkeep

Facts = dict[str, object]


def facts(instance: Instance, settings: Settings, row: Mapping[str, object]) -> Facts:
    """ "backup": null for a user who may not look for backups. "upkeep": null of no PostgreSQL.

    row: of sockwake ls.
    """
    return {
        "backup": _backup(instance, settings, row) if may_look(instance) else None,
        "upkeep": _upkeep(instance, settings) if settings.has_cluster else None,
    }


def may_look(instance: Instance) -> bool:
    """Whether this user may see what backups there are."""
    try:
        os.listdir(backups.directory(instance))
    except PermissionError:
        return False
    except OSError:
        pass
    return True


def awake_for(row: Mapping[str, object]) -> float | None:
    """For how many seconds it has been awake; None when it sleeps. row: of sockwake ls."""
    if row["state"] != ls.AWAKE:
        return None
    since = row["state_since"]
    return time.time() - since if isinstance(since, int) else 0.0


def _backup(instance: Instance, settings: Settings, row: Mapping[str, object]) -> Facts:
    every, failure = backups.own(instance), backups.failure(instance)
    good = [each for each in every if each.is_good]
    try:
        missed = overdue.told(instance, settings, awake_for=awake_for(row))
    except SockwakeError as error:
        missed = error.whole
    return {
        "when": list(settings.backup),
        "keep": settings.keep_backups or None,
        "count": len(every),
        "last_good": _of_one(good[-1]) if good else None,
        "failure": failure.why if failure else None,
        "failed_at": backups.written(failure.when) if failure else None,
        "overdue": missed or None,
    }


def _of_one(backup: backups.Backup) -> Facts:
    return {
        "finished": backups.written(backup.finished),
        "method": backup.method,
        "bytes": backup.bytes,
        "path": backup.path,
    }


def collation_changed(instance: Instance, settings: Settings) -> list[str]:
    """The databases whose collation has changed, and which were not reindexed since."""
    if not settings.has_cluster:
        return []
    return upkeep.mismatched(instance, settings, upkeep.read(instance))


def _upkeep(instance: Instance, settings: Settings) -> Facts:
    note = upkeep.read(instance)
    windows = [
        f"{each.begin} to {each.end}" if each.end else each.begin for each in settings.maintain
    ]
    return {"when": windows, "last": note.facts() if note else None}


def backup_text(told: object) -> str:
    """The line of the backups; "" when there are none and none are wanted."""
    if not isinstance(told, dict) or not (told["when"] or told["count"] or told["failure"]):
        return ""
    said = [", ".join(told["when"]) or "by hand"]
    if last := told["last_good"]:
        size = words.size(last["bytes"])
        one = "the last good one" if told["count"] == 1 else f"the last good one of {told['count']}"
        said.append(f"{one} is {_age(last['finished'])} old ({last['method']}, {size})")
    else:
        said.append("there is no good one")
    if told["failure"]:
        said.append(f"the last attempt failed {_age(told['failed_at'])} ago: {told['failure']}")
    return "; ".join([*said, *([f"overdue: {told['overdue']}"] if told["overdue"] else [])])


def upkeep_text(told: object) -> str:
    """The line of the upkeep; "" when there was none and none is wanted."""
    if not isinstance(told, dict) or not (told["when"] or told["last"]):
        return ""
    said = [", ".join(told["when"]) or "by hand"]
    if last := told["last"]:
        done = ", ".join(last["done"]) or "nothing was due"
        said.append(f"{_age(last['finished'])} ago: {done}")
        said += [f"not done: {last['failure']}"] if last["failure"] else []
        said += [f"damaged: {last['damage']}"] if last["damage"] else []
    else:
        said.append("never yet")
    return "; ".join(said)


def _age(stamp: str) -> str:
    return times.span(max(time.time() - backups.seconds(stamp), 0.0))
