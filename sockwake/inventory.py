"""The instances there are: a scan of /etc/sockwake, which is the only record."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sockwake import cluster, locks, programs, scope
from sockwake.errors import EXISTS, SockwakeError
from sockwake.files import replace, sync, text_of, write_new
from sockwake.instance import Instance, Name
from sockwake.runtime import remove

_UNFINISHED = ".new-"
_DOOMED = ".rm-"
_MADE_DATA = "made-data"
_PATIENCE = 60  # seconds for another command, which holds its lock only to choose, write or delete
_NOT_YET = "-"  # the identity of a directory that is not there


def directory(root: str = "") -> str:
    return scope.etc(root)


def instances(root: str = "") -> list[Instance]:
    """Every instance, by name; what is no valid name is no instance."""
    return [Instance(name, root) for name in _names(_entries(root))]


def unfinished(root: str = "") -> list[Instance]:
    """What a sockwake-new is making just now, or was killed over."""
    entries = [entry.removeprefix(_UNFINISHED) for entry in _entries(root) if entry.startswith(_UNFINISHED)]
    return [_draft(name, root) for name in _names(entries)]


def draft_of(name: Name, root: str = "") -> Instance | None:
    """The unfinished instance of this name, if there is one."""
    draft = _draft(name, root)
    return draft if os.path.isdir(draft.etc) else None


@contextmanager
def locked(root: str = "") -> Iterator[None]:
    """Nobody else chooses a port, makes or deletes an instance meanwhile.

    What a killed deletion left goes on the way in; a directory that holds no instance goes on the way out.
    """
    lock = _lock_directory(directory(root))
    try:
        for entry in _entries(root):
            if entry.startswith(_DOOMED):
                _erase(f"{directory(root)}/{entry}")
        yield
    finally:
        with suppress(OSError):
            os.rmdir(directory(root))
        os.close(lock)


def _lock_directory(path: str) -> int:
    """Lock path, made if it is missing; again when it was removed while we waited."""
    while True:
        os.makedirs(path, 0o755, exist_ok=True)
        if not os.access(path, os.W_OK):
            own = ", or with --user for your own" if path == scope.etc() else ""
            raise SockwakeError(f"cannot write {path}: permission denied", f"run this as root{own}")
        lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            locks.take(lock, "the lock of all instances", _PATIENCE)
        except BaseException:
            os.close(lock)
            raise
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(lock), os.stat(path)):
                return lock
        os.close(lock)


class Draft:
    """An instance being made in /etc/sockwake/.new-NAME, held by a lock that dies with its maker.

    files: name to (mode, text). Raises SockwakeError (exists) when the name is taken or being made.
    """

    def __init__(self, name: Name, root: str, files: dict[str, tuple[int, str]]) -> None:
        self.final = Instance(name, root)
        self.instance = _draft(name, root)
        os.mkdir(self.instance.etc, 0o755)
        try:
            self._lock = os.open(self.instance.etc, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            for file, (mode, text) in files.items():
                write_new(f"{self.instance.etc}/{file}", mode, text)
            os.fsync(self._lock)
        except BaseException:
            delete(self.instance)
            raise

    def claim_data(self, path: str, *, make: bool) -> None:
        """Note that what will be in path is this run's work, and whether path itself is: all that undoing may delete.

        make: path, if it is not there; else systemd makes it when the program is started.
        """
        note = f"{self.instance.etc}/{_MADE_DATA}"
        if os.path.isdir(path):
            write_new(note, 0o644, f"contents {_identity(path)} {path}\n")
            return
        write_new(note, 0o644, f"directory {_NOT_YET} {path}\n")
        if make:
            os.makedirs(path, 0o711, exist_ok=True)
            replace(note, 0o644, f"directory {_identity(path)} {path}\n")

    def publish(self) -> Instance:
        """Give it its name; from here on it is an instance. Locked: who looks for a free port must see it as one of the two."""
        with locked(self.final.root):
            os.rename(self.instance.etc, self.final.etc)
            sync(directory(self.final.root))
        return self.final

    def release(self) -> None:
        """Nothing can go wrong any more: what it made is not to be undone."""
        with suppress(OSError):  # it only counts in a draft
            remove(f"{self.final.etc}/{_MADE_DATA}")
        os.close(self._lock)


def is_finished(instance: Instance) -> bool:
    """Whether this is an instance and not the draft of one."""
    return not os.path.basename(instance.etc).startswith(_UNFINISHED)


def is_abandoned(draft: Instance) -> bool:
    """Whether nobody is making this draft any more."""
    try:
        lock = os.open(draft.etc, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False  # it has just been finished
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True


def require_free(name: Name, root: str = "") -> None:
    """Raise SockwakeError (exists) when an instance has this name or somebody is making one."""
    draft = draft_of(name, root)  # first: a draft that becomes an instance meanwhile is seen as one of the two
    if draft and not is_abandoned(draft):
        raise SockwakeError(f"instance '{name}' is being made by another sockwake-new", status=EXISTS)
    if os.path.lexists(Instance(name, root).etc):
        raise SockwakeError(
            f"instance '{name}' exists already", f"{scope.command('sockwake rm', name)} removes it", EXISTS
        )


def require_unclaimed(data: str, root: str = "") -> None:
    """Raise SockwakeError (exists) when the directory data is another instance's."""
    for instance in (*unfinished(root), *instances(root)):
        if data_of(instance) == data:
            raise SockwakeError(
                f"data directory {data} belongs to instance '{instance.name}'", "choose another with --data", EXISTS
            )


def data_of(instance: Instance) -> str:
    """The instance's data directory, "" when its files do not tell."""
    try:
        return instance.settings().data
    except SockwakeError:
        return ""


def discard(draft: Instance) -> None:
    """Delete an unfinished instance, and of its data what it made itself."""
    delete_made_data(draft)
    delete(draft)


def delete_made_data(draft: Instance) -> bool:
    """Delete what a sockwake-new that did not come to its end had put into the data directory.

    Somebody else may have put something there since it was killed: another directory, or a cluster where none was made yet.
    Returns False when that is so, and is left.
    """
    note = text_of(f"{draft.etc}/{_MADE_DATA}").rstrip("\n").split(" ", 2)
    if len(note) < 3:
        return True
    made, identity, path = note
    if identity == _NOT_YET and is_finished(draft):  # and so undone by who has just had systemd make it
        identity = _identity(path)
    if os.path.exists(draft.uninitialised_file) and not os.path.exists(f"{path}/{cluster.MADE}"):
        shutil.rmtree(f"{path}/{cluster.STAGED}", ignore_errors=True)
    elif identity != _identity(path):
        return not os.path.exists(path)
    elif made == "contents":
        empty(path)
    else:
        with suppress(OSError):
            delete_data(path)
    if made == "directory":
        with suppress(OSError):  # it is there, and not empty
            os.rmdir(path)
    return not os.path.isdir(path) or not content(path)


def _identity(path: str) -> str:
    """What tells a directory from another one that takes its place, also after a reboot: inode, and second of birth."""
    return programs.run(["stat", "--format=%i:%W", path], check=False).strip()


def delete_data(path: str) -> None:
    """Delete the data; a directory that is a mount point, or a link, is emptied. systemd's own links for the state of
    programs with DynamicUser= go with what they lead to."""
    real = os.path.realpath(path)
    if os.path.islink(path) and real.endswith(f"/var/lib/private/sockwake/{os.path.basename(path)}"):
        shutil.rmtree(real)
        os.unlink(path)
    elif os.path.ismount(path) or os.path.islink(path):
        empty(path)
    else:
        shutil.rmtree(path)


def empty(path: str) -> None:
    """Delete everything in a directory, if it is there, but what belongs to its file system."""
    for entry in content(path) if os.path.isdir(path) else ():
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        else:
            os.unlink(entry.path)


def content(path: str) -> list[os.DirEntry[str]]:
    """What is in a directory, but what belongs to its file system; raises OSError."""
    return [entry for entry in os.scandir(path) if entry.name != "lost+found"]


def delete(instance: Instance) -> None:
    """Delete an instance's directory in /etc; after an interruption the name is free all the same."""
    doomed = f"{directory(instance.root)}/{_DOOMED}{instance.name}"
    os.rename(instance.etc, doomed)
    sync(directory(instance.root))
    _erase(doomed)


def _erase(path: str) -> None:
    if os.path.islink(path):  # an instance that lives elsewhere stays there
        os.unlink(path)
    else:
        shutil.rmtree(path)


def _names(entries: list[str]) -> Iterator[Name]:
    for entry in entries:
        with suppress(SockwakeError):
            yield Name(entry)


def _draft(name: Name, root: str) -> Instance:
    return Instance(name, root, f"{directory(root)}/{_UNFINISHED}{name}")


def _entries(root: str) -> list[str]:
    try:
        return sorted(entry.name for entry in os.scandir(directory(root)) if entry.is_dir())
    except FileNotFoundError:
        return []
