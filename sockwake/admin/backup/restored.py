"""The note of a restore: which directories were exchanged for which, so that it can be undone.

It is in the instance's directory from before the first change until what was replaced is given up.
A directory is known by its inode and time of birth, so that nothing else is moved or deleted. Its
path is noted as the system sees it that has the instance: in a snapshot there are directories with
the same inodes, and this system has others at these paths.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from sockwake.admin.access import addresses
from sockwake.config import scope
from sockwake.config.instance import Instance
from sockwake.config.settings import load
from sockwake.errors import SockwakeError
from sockwake.lifecycle import upkeep
from sockwake.system import deletion, files, process, safe_path
from sockwake.system.identity import identity

NOTE = "restored"
STAGING, STAGED, UNDOING, DONE = "staging", "staged", "undoing", "done"


@dataclass(frozen=True)
class Swap:
    """One directory and what takes its place.

    place: where the instance has it. beside: where the other one is. coming, going: what tells the
    directory that is to be in place, and the one that was, from all others.
    """

    place: str
    beside: str
    coming: str
    going: str

    @property
    def is_done(self) -> bool:
        return identity(self.place) == self.coming

    def exchange(self) -> None:
        """Put the coming directory in its place, and the other one beside, in one step."""
        if self.is_done:
            return
        if identity(self.place) != self.going or identity(self.beside) != self.coming:
            raise SockwakeError(f"{self.place} or {self.beside} is another directory than it was")
        process.run(["mv", "--exchange", "-T", self.beside, self.place])
        files.sync(os.path.dirname(self.place))

    def moved(self, to: Callable[[str], str]) -> Swap:
        """The same at other paths; to: gives the new path for an old one."""
        return replace(self, place=to(self.place), beside=to(self.beside))

    def reversed(self) -> Swap:
        return Swap(self.place, self.beside, self.going, self.coming)


@dataclass(frozen=True)
class Note:
    """What a restore has done, or was about to.

    source: the name of the backup. phase: STAGING until the copies are whole, STAGED until all of
    them are in place, UNDOING while they are exchanged again, else DONE. password: what the
    password file is to have when they are; other: what it has to have when they are exchanged
    again. Both None where there is none to change.
    is_back: whether it has been undone.
    """

    source: str
    phase: str
    swaps: tuple[Swap, ...]
    password: str | None
    other: str | None
    is_back: bool = False

    def write(self, instance: Instance) -> Note:
        """Keep it, whole or not at all; it has passwords."""
        swaps = [each.moved(lambda path: path.removeprefix(instance.root)) for each in self.swaps]
        known = {**vars(self), "swaps": [vars(each) for each in swaps]}
        files.replace(f"{instance.etc}/{NOTE}", 0o600, f"{json.dumps(known)}\n")
        return self

    def finish(self, instance: Instance) -> Note:
        """Put all in place that is not yet; can be repeated. Its wakes are held back."""
        for swap in self.swaps:
            swap.exchange()
            _note_data(instance, swap)
        upkeep.forget_pages(instance)
        if self.password is not None:
            files.replace(instance.password_file, 0o600, self.password)
            with suppress(SockwakeError):  # it has none where no client of this machine is let in
                addresses.renew_password_line(instance, load(instance), self.password.strip())
        return replace(self, phase=DONE).write(instance)

    def undone(self) -> Note:
        """What has to be done to have all as it was."""
        swaps = tuple(each.reversed() for each in self.swaps)
        is_back = not self.is_back
        return replace(
            self,
            phase=UNDOING,
            swaps=swaps,
            password=self.other,
            other=self.password,
            is_back=is_back,
        )

    def discard(self, instance: Instance) -> None:
        """Delete the copies of a backup, of which none is in place yet, and the note."""
        for swap in self.swaps:
            if swap.coming and identity(swap.beside) == swap.coming:
                deletion.tree(swap.beside)
            elif not swap.coming and os.path.isdir(swap.beside):
                with suppress(OSError):  # not empty: it is not the one that was to be made
                    os.rmdir(swap.beside)
        forget(instance)

    def delete_kept(self) -> None:
        """Delete what a restore that is done has kept; raises SockwakeError for anything else."""
        for swap in self.swaps:
            if os.path.lexists(swap.beside) and identity(swap.beside) != swap.going:
                raise SockwakeError(
                    f"{swap.beside} is not what the restore has kept", "move it away yourself"
                )
            if os.path.lexists(swap.beside):
                deletion.tree(swap.beside)

    @property
    def is_untouched(self) -> bool:
        """Whether there are only copies of a backup yet, which can be discarded."""
        return self.phase in (STAGING, STAGED) and not any(swap.is_done for swap in self.swaps)

    @property
    def kept(self) -> list[str]:
        """The directories beside the instance's own."""
        return [each.beside for each in self.swaps]


def read(instance: Instance) -> Note | None:
    """The note of the last restore, None without one; raises SockwakeError.

    Also for places to which a link leads out of the tree.
    """
    text = files.text_of(f"{instance.etc}/{NOTE}")
    if not text:
        return None
    try:
        known = json.loads(text)
        swaps = tuple(Swap(**each) for each in known["swaps"])
        note = Note(**{**known, "swaps": swaps})
    except (ValueError, KeyError, TypeError):
        raise SockwakeError(
            f"{instance.etc}/{NOTE} cannot be read", "it is of a restore: move it away"
        ) from None
    swaps = tuple(each.moved(lambda path: instance.root + path) for each in swaps)
    for path in (path for each in swaps for path in (each.place, each.beside)):
        safe_path.require_in_tree(instance.root, path)
    return replace(note, swaps=swaps)


def forget(instance: Instance) -> None:
    """Remove the note."""
    files.remove(f"{instance.etc}/{NOTE}")
    files.sync(instance.etc)


def require_none(instance: Instance) -> None:
    """Raise SockwakeError while the data before the last restore are kept."""
    if note := read(instance):
        verb = scope.command("sockwake restore", instance.name)
        raise SockwakeError(
            f"{', '.join(note.kept)} is kept of the last restore of '{instance.name}'",
            f"{verb} --forget deletes that, {verb} --back undoes the restore",
        )


def _note_data(instance: Instance, swap: Swap) -> None:
    """Have a purge know the data directory that is in place now, if it knew the other one."""
    path = f"{instance.etc}/data-directory"
    known, _, named = files.text_of(path).rstrip("\n").partition(" ")
    if known == swap.going and os.path.realpath(instance.root + named) == swap.place:
        files.replace(path, 0o644, f"{swap.coming} {named}\n")
