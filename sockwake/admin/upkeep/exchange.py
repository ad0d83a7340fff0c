"""Which of two clusters an instance is served from: exchanged whole, or taken back.

Wakes are held back by the caller, and nothing of the instance runs, but for try_out().
"""

from __future__ import annotations

from dataclasses import replace

from sockwake.admin import inventory
from sockwake.admin.change.asleep import held_asleep
from sockwake.admin.make import trial
from sockwake.admin.upkeep import newer_cluster, newer_definition, two_clusters, upgraded
from sockwake.admin.upkeep.upgraded import MAKING, SWITCHING, Upgraded
from sockwake.config.instance import Instance
from sockwake.config.settings import load
from sockwake.lifecycle import passing, programs, runtime, upkeep
from sockwake.postgres import control_file, password, scram
from sockwake.system import systemctl, tree_copy

OLDER, NEWER = "upgrade-older", "upgrade"  # purposes of passing units


def make(instance: Instance, data: str, move: Upgraded) -> None:
    """Put the new cluster where it is served, and the files with it; after a kill it goes on."""
    if move.state != SWITCHING and (made := control_file.read(f"{data}/{two_clusters.NEW}")):
        move = replace(move, checkpoint=made.checkpoint)
    tree_copy.sync(data)  # also what PostgreSQL itself does not, such as its configuration
    move = upgraded.write(instance, replace(move, state=SWITCHING))
    if not move.is_back:
        two_clusters.take_in(data, move.new.major, move.old.major)
        two_clusters.discard_work(data)
    two_clusters.switch(data, move.old.major, move.new.major)
    newer_definition.write(instance, move.after)
    newer_definition.make(instance, move.new)
    _give_password(instance, move)


def _give_password(instance: Instance, move: Upgraded) -> None:
    """Have a cluster that was not served know the password that was changed since."""
    secret = password.read_password(instance)
    if not (secret and move.login) or scram.is_of(move.login, secret):
        return
    settings = load(instance)
    own = programs.of(instance, settings, OLDER)
    with own.server(passing.Place(settings.cluster), lock=settings.data) as server:
        server.execute(f"{scram.statement(secret)};\n")


def was_started(data: str, move: Upgraded) -> bool:
    """Whether the new cluster of a move that was killed may have been served, and written to."""
    place = f"{data}/{two_clusters.served(move.new.major)}".rstrip("/")
    if two_clusters.version_of(place) != f"{move.new.major}":
        return False
    found = control_file.read(place)
    return not (found and found.is_shut_down and found.checkpoint == move.checkpoint)


def try_out(instance: Instance, data: str, move: Upgraded, *, may_undo: bool = True) -> None:
    """Start it as clients do; without an answer all is as before. Wakes are held back no more.

    may_undo: not where it may have been served before: then it stays, with the way back.
    """
    try:
        inventory.say(f"starting PostgreSQL {move.new.version}")
        trial.try_out(instance, load(instance))
    except BaseException:
        if may_undo:
            with held_asleep(instance, load(instance), force=True):
                undo(instance, data, move)
        else:
            _note_done(instance, move)
        raise
    upkeep.forget_pages(instance)
    _note_done(instance, move)


def _note_done(instance: Instance, move: Upgraded) -> None:
    secret = password.read_password(instance)
    upgraded.write(instance, move.done(scram.verifier(secret) if secret else ""))


def undo(instance: Instance, data: str, move: Upgraded) -> None:
    """Have all as it was before a move that is not done.

    Not of one whose clusters share their files, once the new one has run.
    """
    for purpose in (OLDER, NEWER):
        passing.end(instance, purpose)
    found = upgraded.read(instance)
    state = found.state if found else MAKING
    if move.is_shared and state != MAKING:
        return
    old, new = move.old.major, move.new.major
    if state == SWITCHING:
        two_clusters.switch(data, old, new)  # from wherever it was interrupted
        two_clusters.switch(data, new, old)
    newer_definition.write(instance, move.before)
    if not move.is_back:
        newer_cluster.undo_link(data, old)
        two_clusters.discard_work(data)
        if state == SWITCHING:
            two_clusters.forget(data, new, old)
    if state == SWITCHING:
        newer_definition.make(instance, move.old)
        systemctl.reset(instance.backend_unit, instance.proxy_unit)
        runtime.forget_failure(instance)
    if move.is_back:
        upgraded.write(instance, move.reversed())
    else:
        upgraded.forget(instance)
