"""Drafts: an instance while sockwake-new makes it, and how an unfinished one is undone."""

import os
from contextlib import suppress

from sockwake.admin import inventory
from sockwake.admin.make import claims
from sockwake.admin.words import listed
from sockwake.config import scope
from sockwake.config.instance import Instance, Name
from sockwake.errors import EXISTS, SockwakeError
from sockwake.postgres import cluster
from sockwake.system import deletion, locks
from sockwake.system.files import remove, replace, sync, text_of, write_new
from sockwake.system.identity import identity as _identity

_NOT_YET = "-"  # the identity of a directory that is not there
_A_LOOK = 10  # seconds; a command that only tests the lock holds it for less than one


class Draft:
    """An instance being made in /etc/sockwake/.new-NAME, under a lock that the kernel releases.

    files: name to (mode, text). Raises SockwakeError (exists) when the name is taken or being made.
    """

    def __init__(self, name: Name, root: str, files: dict[str, tuple[int, str]]) -> None:
        self.final = Instance(name, root)
        self.instance = inventory.draft_at(name, root)
        self._was_there = os.path.isdir(self.final.etc)
        self._locks: list[int] = []
        os.mkdir(self.instance.etc, 0o755)
        try:
            self._lock(self.instance.etc)
            for file, (mode, text) in files.items():
                write_new(f"{self.instance.etc}/{file}", mode, text)
            os.fsync(self._locks[0])
        except BaseException:
            inventory.delete(self.instance)
            raise

    def claim_data(self, path: str, *, make: bool) -> None:
        """Note that this run makes the contents of path, or path too: what undoing may delete.

        make: make path if it is missing; else systemd makes it when the program is started.
        """
        note = f"{self.instance.etc}/{inventory.MADE_DATA}"
        if os.path.isdir(path):
            write_new(note, 0o644, f"contents {_identity(path)} {path}\n")
            return
        write_new(note, 0o644, f"directory {_NOT_YET} {path}\n")
        if make:
            os.makedirs(path, 0o711, exist_ok=True)
            replace(note, 0o644, f"directory {_identity(path)} {path}\n")

    def note_data(self, path: str) -> None:
        """Note the data directory that was asked for: a purge deletes no other."""
        text = f"{_identity(self.final.root + path) or _NOT_YET} {path}\n"
        write_new(f"{self.instance.etc}/{inventory.DATA_NOTE}", 0o644, text)

    def publish(self) -> Instance:
        """Rename the draft to its final name: it is an instance from now on.

        Under the lock of all instances, so that a search for a free port sees the draft or the
        instance. The engine may have made the final directory already, for a bind mount in it.
        """
        with inventory.locked(self.final.root):
            if os.path.isdir(self.final.etc):
                if files := inventory.written(self.final.etc):
                    found = listed(files)
                    raise SockwakeError(
                        f"{self.final.etc} has {found} in it, of another's making", status=EXISTS
                    )
                self._lock(self.final.etc)
                inventory.move_written(self.instance.etc, self.final.etc)
                os.rmdir(self.instance.etc)
            else:
                os.rename(self.instance.etc, self.final.etc)
            sync(scope.etc(self.final.root))
        return self.final

    def release(self) -> None:
        """Release the locks, and forget what would be undone."""
        with suppress(OSError):  # the note only counts in a draft
            remove(f"{self.final.etc}/{inventory.MADE_DATA}")
        for lock in self._locks:
            os.close(lock)

    def prune(self) -> None:
        """Remove empty directories that the engine made in the final directory, if that is new."""
        for directory, _, _ in [] if self._was_there else os.walk(self.final.etc, topdown=False):
            with suppress(OSError):  # not empty
                os.rmdir(directory)

    def _lock(self, path: str) -> None:
        lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._locks.append(lock)
        locks.take(lock, f"the lock of {path}", _A_LOOK)


def delete(unfinished: Instance) -> None:
    """Delete an unfinished instance's files, and those that were moved to their final place."""
    with inventory.locked(unfinished.root):
        final = Instance(unfinished.name, unfinished.root)
        if (
            not inventory.is_finished(unfinished)
            and not inventory.exists(final)
            and inventory.written(final.etc)
        ):
            inventory.delete(final)
        inventory.delete(unfinished)


def delete_made_data(draft: Instance) -> bool:
    """Delete what a sockwake-new that did not end had put into the data directory.

    Returns False when there is something else since then, which is left: another directory, or a
    cluster where this run had made none yet.
    """
    note = text_of(f"{draft.etc}/{inventory.MADE_DATA}").rstrip("\n").split(" ", 2)
    if len(note) < 3:
        return True
    made, identity, path = note
    if identity == _NOT_YET and inventory.is_finished(draft):
        identity = _identity(path)  # systemd has made it, for the command that undoes it now
    is_its_own = identity == _identity(path) and _is_undisputed(path, draft)
    if (
        is_its_own
        and os.path.exists(draft.uninitialised_file)
        and not os.path.exists(f"{path}/{cluster.MADE}")
    ):
        deletion.tree(f"{path}/{cluster.STAGED}", quietly=True)
    elif is_its_own:
        with suppress(OSError, SockwakeError):
            delete_data(path) if made == "directory" else deletion.contents(os.path.realpath(path))
    if made == "directory" and (is_its_own or identity == _NOT_YET):
        with suppress(OSError):  # not empty
            os.rmdir(path)
    return not os.path.isdir(path) or (is_its_own and not deletion.entries(path))


def require_noted(instance: Instance, data: str) -> None:
    """Raise SockwakeError unless data is the default, or the directory it was made with."""
    if data == instance.root + instance.data:
        return
    identity, _, path = text_of(f"{instance.etc}/{inventory.DATA_NOTE}").rstrip("\n").partition(" ")
    if data != instance.root + path or identity not in (_NOT_YET, _identity(data)):
        raise SockwakeError(
            f"data directory {data} is not known to be the one that instance '{instance.name}' "
            "was made with",
            "leave out --purge, and delete the directory yourself if it may go",
        )


def _is_undisputed(path: str, draft: Instance) -> bool:
    try:
        claims.require_own(path, draft.root, but=draft)
    except SockwakeError:
        return False
    return True


def delete_data(path: str) -> None:
    """Delete a data directory; only its contents, if it is a mount point or a symbolic link.

    A link of systemd's to the state of a DynamicUser= is deleted together with its target.
    """
    real = os.path.realpath(path)
    if os.path.islink(path) and real.endswith(
        f"/var/lib/private/sockwake/{os.path.basename(path)}"
    ):
        deletion.tree(real)
        os.unlink(path)
    elif deletion.is_mount(path) or os.path.islink(path):
        deletion.contents(real)
    else:
        deletion.tree(path)
