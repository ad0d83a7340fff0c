"""sockwake upgrade NAME --version N: a newer major version, whole or not at all, with a way back.

The new cluster is made beside the old one while wakes wait, by PostgreSQL's own programs
(newer_cluster.py), proven, and only then put where it is served, with VERSION=, IMAGE= and the
paths in the instance's own files (exchange.py). A start as clients have it is the last proof;
without it all is as before. The old cluster stays until it is forgotten. The file "upgraded" tells
how far it is: what was killed is taken back, or finished, by the next call.
"""

from __future__ import annotations

import os
from dataclasses import replace

from sockwake.admin import inventory
from sockwake.admin.backup import restored
from sockwake.admin.change.asleep import awake_again, held_asleep, require_unused
from sockwake.admin.upkeep import exchange, newer_definition, two_clusters, upgraded
from sockwake.admin.upkeep.new_version import NewVersion, Outcome, Wish
from sockwake.admin.upkeep.upgraded import DONE, LINKED, MAKING, SWITCHING, Upgraded
from sockwake.config import forwarding, scope
from sockwake.config.instance import Instance, Name
from sockwake.config.settings import Settings, load
from sockwake.errors import EXISTS, USAGE, SockwakeError
from sockwake.postgres import cluster


def upgrade(name: Name, wish: Wish) -> Outcome:
    """Have an instance served by a newer major version; raises SockwakeError with all as before."""
    with inventory.held(name) as instance, awake_again(instance):
        settings = _require_possible(instance)
        begun = upgraded.read(instance)
        if begun and begun.state != DONE:
            if begun.state != MAKING and wish.check:
                upgraded.require_settled(instance)
            if begun.new.major == wish.major and begun.state != MAKING:
                return NewVersion(instance, settings, wish, begun).go_on()
            settings = _take_back(instance, settings, begun)
        _require_newer(instance, settings, wish)
        require_unused(instance, settings)
        return NewVersion(instance, settings, wish).make()


def back(name: Name) -> Outcome:
    """Have the cluster served again that was served before; raises SockwakeError."""
    with inventory.held(name) as instance, awake_again(instance):
        settings = _require_possible(instance)
        done = upgraded.read(instance)
        if done and done.state == SWITCHING and done.is_back:
            move = done
        elif done and done.state == DONE:
            if done.is_shared:
                raise SockwakeError(
                    f"there is no way back to PostgreSQL {done.old.version}: with --method link "
                    "its cluster shares its files with the new one",
                    "a backup has what was before; --forget deletes what is left of it",
                )
            move = _move_back(instance, settings, done)
        else:
            raise SockwakeError(f"instance '{name}' was not upgraded", "sockwake upgrade --help")
        require_unused(instance, settings)
        with held_asleep(instance, settings):
            try:
                exchange.make(instance, settings.data, move)
            except BaseException:
                exchange.undo(instance, settings.data, move)
                raise
        exchange.try_out(instance, settings.data, move)
        forget = scope.command("sockwake upgrade --forget", name)
        return Outcome(
            f"{name} is served by PostgreSQL {move.new.version} again, with the data of before; "
            f"what was written since is in its cluster of {move.old.version} ({forget} deletes it)",
            old=move.old.version,
            new=move.new.version,
        )


def _move_back(instance: Instance, settings: Settings, done: Upgraded) -> Upgraded:
    before = newer_definition.had(instance, settings)
    after = newer_definition.texts(instance, settings, done.old, before)
    back_again = replace(done.reversed(), is_back=True, finished=0)
    return replace(back_again, state=SWITCHING, before=before, after=after)


def forget(name: Name) -> Outcome:
    """Delete the cluster that is not served any more; raises SockwakeError."""
    with inventory.held(name) as instance:
        settings = _require_possible(instance)
        done = upgraded.read(instance)
        if not done or done.state != DONE:
            raise SockwakeError(
                f"instance '{name}' has no cluster of an upgrade to forget",
                scope.command("sockwake status", name),
            )
        cluster.require_there(settings)
        was_there = two_clusters.is_kept(settings.data, done.old.major, done.new.major)
        left = two_clusters.forget(settings.data, done.old.major, done.new.major)
        upgraded.forget(instance)
        if not was_there:
            return Outcome(f"{name} has no cluster of PostgreSQL {done.old.version} any more")
        notes = [f"left {', '.join(left)}, which PostgreSQL has not made"] if left else []
        return Outcome(f"deleted the cluster of PostgreSQL {done.old.version} of {name}", notes)


def _require_possible(instance: Instance) -> Settings:
    """The settings; raises SockwakeError for what is no PostgreSQL with a cluster."""
    inventory.require_finished(instance)
    settings = load(instance)
    if not settings.has_cluster:
        raise SockwakeError(f"instance '{instance.name}' is no PostgreSQL", status=USAGE)
    if forwarding.of(instance):
        raise SockwakeError(
            f"clients of instance '{instance.name}' are led elsewhere",
            scope.command("sockwake forward --back", instance.name),
        )
    if os.path.exists(instance.uninitialised_file):
        raise SockwakeError(
            f"instance '{instance.name}' has no cluster yet", "its first wake makes one"
        )
    restored.require_none(instance)  # it has the place of the data, of one version
    return settings


def _take_back(instance: Instance, settings: Settings, begun: Upgraded) -> Settings:
    """Take back a move that was killed; returns the settings, or raises when it cannot be."""
    if begun.is_back or begun.state == LINKED or (begun.is_shared and begun.state == SWITCHING):
        version = "--back" if begun.is_back else f"--version {begun.new.version}"
        raise SockwakeError(
            f"the last upgrade of '{instance.name}' was not finished, and cannot be taken back",
            f"{scope.command('sockwake upgrade', instance.name)} {version} goes on",
        )
    with held_asleep(instance, settings):
        if begun.state == SWITCHING and exchange.was_started(settings.data, begun):
            raise SockwakeError(
                f"instance '{instance.name}' has been served by PostgreSQL {begun.new.version} "
                "since its last upgrade, which was not finished",
                f"{scope.command('sockwake upgrade', instance.name)} --version "
                f"{begun.new.version} finishes it",
            )
        exchange.undo(instance, settings.data, begun)
    return load(instance)


def _require_newer(instance: Instance, settings: Settings, wish: Wish) -> None:
    name, data = instance.name, settings.data
    if wish.major <= settings.major:
        raise SockwakeError(
            f"instance '{name}' has PostgreSQL {settings.major} already",
            scope.command("sockwake update", name) if settings.is_bundled else "",
            USAGE,
        )
    upgraded.require_none(instance)
    cluster.require_there(settings)
    cluster.require_version(settings.cluster, settings.major)
    place = f"{data}/{two_clusters.kept(wish.major, settings.major)}"
    for path in (place, f"{data}/{two_clusters.WORK}"):
        if os.path.lexists(path):
            raise SockwakeError(f"{path} is in the way", "move it away", EXISTS)
