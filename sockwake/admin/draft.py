"""An instance while it is being made, and what is undone when it never was."""

import os
from contextlib import suppress

from sockwake.admin import claims, inventory
from sockwake.config.instance import Instance, Name
from sockwake.errors import EXISTS, SockwakeError
from sockwake.postgres import cluster
from sockwake.system import deletion, locks, process
from sockwake.system.files import remove, replace, sync, text_of, write_new

_NOT_YET = "-"  # the identity of a directory that is not there
_A_LOOK = (
    10  # seconds; a command that only wants to know whether it is held has it for less than one
)


class Draft:
    """An instance being made in /etc/sockwake/.new-NAME, held by a lock that dies with its maker.

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
        """Note that what will be in path is this run's work, and whether path itself is: all that undoing may delete.

        make: path, if it is not there; else systemd makes it when the program is started.
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
        """Note which directory was named for the data: all that a purge may delete, should DATA= be edited."""
        text = f"{_identity(self.final.root + path) or _NOT_YET} {path}\n"
        write_new(f"{self.instance.etc}/{inventory.DATA_NOTE}", 0o644, text)

    def publish(self) -> Instance:
        """Give it its name; from here on it is an instance. Locked: who looks for a free port must see it as one of the two.

        The engine may have made the directory in the meantime, for what the container is to find in there.
        """
        with inventory.locked(self.final.root):
            if os.path.isdir(self.final.etc):
                if theirs := inventory.written(self.final.etc):
                    what = f"{self.final.etc} has {inventory.listed(theirs)} in it, of another's making"
                    raise SockwakeError(what, status=EXISTS)
                self._lock(self.final.etc)
                inventory.move_written(self.instance.etc, self.final.etc)
                os.rmdir(self.instance.etc)
            else:
                os.rename(self.instance.etc, self.final.etc)
            sync(inventory.directory(self.final.root))
        return self.final

    def release(self) -> None:
        """Nothing can go wrong any more: what it made is not to be undone."""
        with suppress(OSError):  # it only counts in a draft
            remove(f"{self.final.etc}/{inventory.MADE_DATA}")
        for lock in self._locks:
            os.close(lock)

    def prune(self) -> None:
        """Remove the empty directories that the engine has made beside its files, if nothing was there before."""
        for directory, _, _ in [] if self._was_there else os.walk(self.final.etc, topdown=False):
            with suppress(OSError):  # it is not empty
                os.rmdir(directory)

    def _lock(self, path: str) -> None:
        lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._locks.append(lock)
        locks.take(lock, f"the lock of {path}", _A_LOOK)


def delete(unfinished: Instance) -> None:
    """Delete an unfinished instance's files, and those that already were where they were to be."""
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
    """Delete what a sockwake-new that did not come to its end had put into the data directory.

    Somebody else may have put something there since it was killed: another directory, or a cluster where none was made yet.
    Returns False when that is so, and is left.
    """
    note = text_of(f"{draft.etc}/{inventory.MADE_DATA}").rstrip("\n").split(" ", 2)
    if len(note) < 3:
        return True
    made, identity, path = note
    if identity == _NOT_YET and inventory.is_finished(
        draft
    ):  # and so undone by who has just had systemd make it
        identity = _identity(path)
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
        with suppress(OSError):  # it is there, and not empty
            os.rmdir(path)
    return not os.path.isdir(path) or (is_its_own and not deletion.entries(path))


def require_noted(instance: Instance, data: str) -> None:
    """Raise SockwakeError unless data is the directory that the instance was made with, or its place in sockwake's own."""
    if data == instance.root + instance.data:
        return
    identity, _, path = text_of(f"{instance.etc}/{inventory.DATA_NOTE}").rstrip("\n").partition(" ")
    if data != instance.root + path or identity not in (_NOT_YET, _identity(data)):
        raise SockwakeError(
            f"data directory {data} is not known to be the one that instance '{instance.name}' was made with",
            "leave out --purge, and delete the directory yourself if it may go",
        )


def _is_undisputed(path: str, draft: Instance) -> bool:
    try:
        claims.require_own(path, draft.root, but=draft)
    except SockwakeError:
        return False
    return True


def _identity(path: str) -> str:
    """What tells a directory from another one that takes its place, also after a reboot: inode, and second of birth."""
    return process.run(["stat", "--format=%i:%W", path], check=False).strip()


def delete_data(path: str) -> None:
    """Delete the data; a directory that is a mount point, or a link, is emptied. systemd's own links for the state of
    programs with DynamicUser= go with what they lead to."""
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
