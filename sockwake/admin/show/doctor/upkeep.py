"""Checks of what is done for sleeping data: backups and upkeep, and what was not finished."""

import os
from collections.abc import Iterator

from sockwake.admin import inventory
from sockwake.admin.backup import restored
from sockwake.admin.show import overdue, upkeep
from sockwake.admin.show.doctor.finding import Finding, Patient, command
from sockwake.admin.show.sight import DOWN
from sockwake.admin.upkeep import upgraded
from sockwake.config.instance import Instance
from sockwake.config.settings import Settings
from sockwake.errors import SockwakeError
from sockwake.lifecycle import backups, wakes
from sockwake.lifecycle import upkeep as notes
from sockwake.system import files


def backups_made(patient: Patient) -> Iterator[Finding]:
    """A last backup that failed, and one that BACKUP= promises and that is not there."""
    for instance, settings in patient.valid():
        if not upkeep.may_look(instance):
            continue
        anew = command("sockwake backup", instance.name)
        if failure := backups.failure(instance):
            yield Finding(f"its last backup failed: {failure.why}", anew, instance.name)
            continue
        try:
            missed = overdue.told(instance, settings, awake_for=_awake_for(patient, instance))
        except SockwakeError as error:
            yield Finding(error.whole, command("sockwake edit", instance.name), instance.name)
            continue
        if missed:
            yield Finding(missed, anew, instance.name)


def backups_good(patient: Patient) -> Iterator[Finding]:
    """A backup of which `sockwake backups verify` has said that it is damaged."""
    for instance in patient.chosen:
        for each in backups.own(instance):
            if not each.is_good:
                what = f"its backup of {each.stamp} is damaged: {each.damage}"
                yield Finding(what, command("sockwake backup", instance.name), instance.name)


def maintained(patient: Patient) -> Iterator[Finding]:
    """A last upkeep that could not do all of it, or has found damaged pages."""
    for instance, settings in patient.valid():
        note = notes.read(instance) if settings.has_cluster else None
        if note and note.damage:
            restore = command("sockwake restore", instance.name)
            yield Finding(f"a page of its data is damaged: {note.damage}", restore, instance.name)
        if note and note.failure:
            what = f"its last upkeep could not do all: {note.failure}"
            yield Finding(what, command("sockwake maintain", instance.name), instance.name)


def unfinished_upgrades(patient: Patient) -> Iterator[Finding]:
    """An upgrade to another major version that was killed, and not run again."""
    for instance in patient.chosen:
        if not os.path.exists(upgraded.path(instance)):
            continue
        try:
            move = upgraded.read(instance)
        except SockwakeError as error:
            yield Finding(error.message, error.hint, instance.name)
            continue
        if not inventory.is_abandoned(instance):
            continue
        if move and move.state != upgraded.DONE:
            way = "--back" if move.is_back else f"--version {move.new.version}"
            what = f"its upgrade from {move.old.version} to {move.new.version} was not finished"
            yield Finding(what, command("sockwake upgrade", instance.name, way), instance.name)


def unfinished_commands(patient: Patient) -> Iterator[Finding]:
    """A rename, a copy, a move to another runtime or a restore that was killed, and not run again.

    Its data, its password, or the port that clients know may be those of before, or of neither.
    """
    for instance in patient.chosen:
        try:
            left = _left(patient, instance)
        except SockwakeError as error:
            yield Finding(error.message, error.hint, instance.name)
            continue
        if left and inventory.is_abandoned(instance):
            what, mend = left
            yield Finding(f"{what} was not finished", mend, instance.name)


def _left(patient: Patient, instance: Instance) -> tuple[str, str] | None:
    """What was killed, and the command that finishes it."""
    name = instance.name
    had = files.text_of(instance.renaming_file).split()[:1]
    if had and had != [name]:
        return f"its rename from {had[0]}", command("sockwake rename", had[0], name)
    if source := files.text_of(instance.copying_file).strip():
        mend = command("sockwake copy", source, name)
        if patient.sight.state(instance.socket_unit) == "active":  # clients have it by now
            mend = f"rm {instance.copying_file}"
        return f"the copy that it is of '{source}'", mend
    settings = patient.settings(instance)
    if files.text_of(instance.moving_file) and isinstance(settings, Settings):
        return "its move to another runtime", command("sockwake runtime", name, settings.runtime)
    note = restored.read(instance)
    if note and note.phase != restored.DONE:
        again = ["--from", note.source] if note.is_untouched else []
        return f"its restore from {note.source}", command("sockwake restore", name, *again)
    return None


def _awake_for(patient: Patient, instance: Instance) -> float | None:
    """For how many seconds it has been awake; None when it sleeps."""
    if patient.sight.state(instance.backend_unit) in DOWN:
        return None
    since = patient.sight.changed(instance.backend_unit)
    return wakes.now() - since if since is not None else 0.0
