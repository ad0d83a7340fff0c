"""An instance on its way to a newer major version of PostgreSQL."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

from sockwake.admin import inventory
from sockwake.admin.change.asleep import held_asleep, require_unused
from sockwake.admin.upkeep import (
    exchange,
    newer_definition,
    newer_files,
    old_cluster,
    room,
    two_clusters,
    upgraded,
)
from sockwake.admin.upkeep.newer_cluster import NewerCluster
from sockwake.admin.upkeep.old_cluster import Facts
from sockwake.admin.upkeep.upgraded import LINKED, Upgraded, Version
from sockwake.config import scope
from sockwake.config.instance import Instance
from sockwake.config.settings import Settings
from sockwake.errors import SockwakeError
from sockwake.lifecycle import image_source, programs
from sockwake.oci import store


@dataclass(frozen=True)
class Wish:
    """What is asked for.

    major: 0 for --back and --forget. method: "" for the best that the file system can. image: ""
    for the same one of the other version. check: only look whether it can be done.
    """

    major: int
    method: str = ""
    image: str = ""
    check: bool = False
    quiet: bool = False


@dataclass(frozen=True)
class Outcome:
    """What was done, as a sentence; what an administrator has to know beside it; and figures.

    seconds: for all of it, and those of it in which the data were taken over.
    """

    said: str
    notes: list[str] = field(default_factory=list)
    old: str = ""
    new: str = ""
    method: str = ""
    seconds: float = 0.0
    data_seconds: float = 0.0


class NewVersion:
    """One upgrade. begun: one that was killed, which is to be finished."""

    def __init__(
        self, instance: Instance, settings: Settings, wish: Wish, begun: Upgraded | None = None
    ) -> None:
        self._instance = instance
        self._settings = settings
        self._wish = wish
        self._data = settings.data
        self._began = time.monotonic()
        self._move = begun or self._look()
        self._made = self._cluster()

    def _look(self) -> Upgraded:
        """What is to be done; raises SockwakeError when something for it is missing."""
        instance, settings, wish = self._instance, self._settings, self._wish
        method = room.method(settings.cluster, settings.data, wish.method)
        old, new = Version(settings.version), Version(f"{wish.major}")
        if settings.is_container:
            called = wish.image or newer_files.image_name(
                settings.image, settings.major, wish.major
            )
            found, _ = image_source.newest(instance, settings, called, quiet=wish.quiet)
            had = programs.image_of(instance, settings)
            old = Version(settings.version, settings.image, had.digest)
            new = Version(f"{wish.major}", called, found.digest)
        before = newer_definition.had(instance, settings)
        after = newer_definition.texts(instance, settings, new, before)
        return Upgraded(old, new, method, before=before, after=after)

    def _cluster(self) -> NewerCluster:
        """The cluster that is to be made."""
        instance, settings, move = self._instance, self._settings, self._move
        old, new = move.old, move.new
        had, found = (store.find(each.digest) if each.digest else None for each in (old, new))
        if settings.is_container and not (had and found):
            gone = new.image if had else old.image
            raise SockwakeError(
                f"image {gone} of '{instance.name}' was removed meanwhile",
                scope.command("sockwake images pull", gone),
            )
        owner = two_clusters.owner(self._data, old.major, new.major)
        older = programs.of(
            instance, settings, exchange.OLDER, image=had, major=old.major, owner=owner
        )
        newer = programs.of(
            instance, settings, exchange.NEWER, image=found, major=new.major, owner=owner
        )
        both = programs.of(
            instance,
            settings,
            exchange.NEWER,
            image=found,
            major=new.major,
            older=had,
            older_major=old.major,
            owner=owner,
        )
        arguments = newer_definition.arguments(instance, settings)
        return NewerCluster(self._data, old.major, new.major, (older, newer, both), arguments)

    def make(self) -> Outcome:
        """Do all of it; raises SockwakeError with all as before."""
        instance, wish, made = self._instance, self._wish, self._made
        with held_asleep(instance, self._settings):
            upgraded.write(instance, self._move)
            try:
                inventory.say(f"looking whether PostgreSQL {wish.major} can take its data over")
                facts = made.prepare()
                made.check(facts, self._move.method)
                if not wish.check:
                    self._fill(facts)
            except BaseException:
                exchange.undo(instance, self._data, self._move)
                raise
            if wish.check:
                exchange.undo(instance, self._data, self._move)
                return self._outcome(f"{instance.name} can be upgraded to {wish.major}")
        return self._try_out()

    def go_on(self) -> Outcome:
        """Finish one that was killed when its new cluster was whole."""
        instance, settings = self._instance, self._settings
        require_unused(instance, settings)
        with held_asleep(instance, settings):
            if self._move.state == LINKED:
                self._prove(old_cluster.unasked(settings.db_user, self._made.arguments))
            may_undo = not exchange.was_started(self._data, self._move)
            exchange.make(instance, self._data, self._move)
        return self._try_out(may_undo=may_undo)

    def _fill(self, facts: Facts) -> None:
        """Fill the new cluster, prove it, and put it where it is served."""
        move = self._move
        inventory.say(f"making a cluster of PostgreSQL {move.new.version}")
        self._made.fill(facts, move.method)
        if move.is_shared:  # the old one cannot be used any more when the new one has run
            move = upgraded.write(self._instance, replace(move, state=LINKED))
        self._prove(facts)
        exchange.make(self._instance, self._data, move)

    def _prove(self, facts: Facts) -> None:
        """Prove the new cluster; one that shares its files is served in any case."""
        inventory.say(f"proving the cluster of PostgreSQL {self._move.new.version}")
        try:
            self._made.prove(facts, self._move.method)
        except SockwakeError:
            if self._move.is_shared:
                exchange.make(self._instance, self._data, self._move)
            raise

    def _try_out(self, *, may_undo: bool = True) -> Outcome:
        instance, move = self._instance, self._move
        exchange.try_out(instance, self._data, move, may_undo=may_undo)
        name = instance.name
        ways = scope.command("sockwake upgrade", name)
        goes_back = "" if move.is_shared else f"{ways} --back serves it again, "
        return self._outcome(
            f"{name} is served by PostgreSQL {move.new.version} now; its cluster of "
            f"{move.old.version} is kept ({goes_back}{ways} --forget deletes it)"
        )

    def _outcome(self, said: str) -> Outcome:
        move, made = self._move, self._made
        return Outcome(
            said,
            made.said,
            move.old.version,
            move.new.version,
            move.method,
            round(time.monotonic() - self._began, 3),
            round(made.seconds, 3),
        )
