"""The inventory of instances: a scan of /etc/sockwake, which is the only record, and its locks."""

import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sockwake.admin.words import listed
from sockwake.config import scope, similar
from sockwake.config.instance import Instance, Name
from sockwake.errors import EXISTS, IN_USE, SockwakeError, shown
from sockwake.kinds.table import COMPOSE, SERVICE
from sockwake.system import locks, safe_path
from sockwake.system.files import sync

MADE_DATA = "made-data"
DATA_NOTE = "data-directory"
ENGINE_NOTE = "engine-choice"
# all files of sockwake's in an instance's directory, also as NAME.new; others are the user's
WRITTEN = (
    "instance.env",
    COMPOSE,
    SERVICE,
    "unit.conf",
    "environment",
    "resolved.json",
    "password",
    "server.crt",
    "server.key",
    "uninitialised",
    "in-memory",
    *("moving", "renaming", "copying", "restored", "expires", "forward", "upgraded"),
    MADE_DATA,
    DATA_NOTE,
    ENGINE_NOTE,
)
_UNFINISHED = ".new-"
_DOOMED = ".rm-"
_LONGEST_WORK = 60  # seconds that another command may hold the lock of all instances
_LONGEST_REMOVAL = 660  # seconds that it may hold an instance: a unit may take 6 min to stop


def instances(root: str = "") -> list[Instance]:
    """Every instance, by name: directories with a valid name and a file of sockwake's."""
    found = [Instance(name, root) for name in _names(_entries(root))]
    return [instance for instance in found if exists(instance)]


def exists(instance: Instance) -> bool:
    """Whether this is an instance or a draft; not an instance while its files still move."""
    if not is_finished(instance):
        is_just_begun = not others(instance.etc) and not os.path.lexists(
            Instance(instance.name, instance.root).env_file
        )
        return os.path.isdir(instance.etc) and (bool(written(instance.etc)) or is_just_begun)
    if os.path.lexists(instance.env_file) or os.path.islink(instance.etc):
        return True
    return bool(written(instance.etc)) and not exists(draft_at(instance.name, instance.root))


def unfinished(root: str = "") -> list[Instance]:
    """Every draft: a sockwake-new is making it, or was killed."""
    entries = [
        entry.removeprefix(_UNFINISHED) for entry in _entries(root) if entry.startswith(_UNFINISHED)
    ]
    return [draft for name in _names(entries) if exists(draft := draft_at(name, root))]


def draft_at(name: Name, root: str = "") -> Instance:
    """The draft of this name, whether it exists or not."""
    return Instance(name, root, f"{scope.etc(root)}/{_UNFINISHED}{name}")


def draft_of(name: Name, root: str = "") -> Instance | None:
    """The draft of this name, if it exists."""
    draft = draft_at(name, root)
    return draft if exists(draft) else None


def is_finished(instance: Instance) -> bool:
    """Whether this is an instance and no draft."""
    return not os.path.basename(instance.etc).startswith(_UNFINISHED)


def require_finished(instance: Instance) -> None:
    """Raise SockwakeError for a draft, and for files to which a link leads out of the tree."""
    safe_path.require_in_tree(instance.root, instance.etc, *written(instance.etc))
    if not is_finished(instance):
        hint = scope.command("sockwake rm", instance.name)
        raise SockwakeError(f"instance '{instance.name}' was not finished", hint)


def written(path: str) -> list[str]:
    """The names of sockwake's files in an instance's directory, instance.env last."""
    names = [f"{name}{suffix}" for name in WRITTEN[::-1] for suffix in (".new", "")]
    paths = {name: f"{path}/{name}" for name in names}
    return [name for name, at in paths.items() if os.path.isfile(at) or os.path.islink(at)]


def others(path: str) -> list[str]:
    """The names of all other files in it; none when the directory is missing."""
    try:
        return sorted(set(os.listdir(path)) - set(written(path)))
    except (FileNotFoundError, NotADirectoryError):
        return []


@contextmanager
def locked(root: str = "", *, only_reads: bool = False) -> Iterator[None]:
    """Hold the lock of all instances: for choosing a port, making a name appear or disappear.

    Never wait while holding it. Entering deletes what a killed rm left; leaving removes an empty
    directory. only_reads: whether that may be on a disk which can only be read, for root.
    """
    lock = _lock_directory(scope.etc(root), only_reads=only_reads)
    try:
        for entry in _entries(root):
            if entry.startswith(_DOOMED) and os.access(scope.etc(root), os.W_OK):
                _erase(f"{scope.etc(root)}/{entry}")
        yield
    finally:
        with suppress(OSError):
            os.rmdir(scope.etc(root))
        os.close(lock)


def _lock_directory(path: str, *, only_reads: bool) -> int:
    """Lock path, which is made if missing; make it again when it was removed meanwhile."""
    while True:
        os.makedirs(path, 0o755, exist_ok=True)
        if not (os.access(path, os.W_OK) or (only_reads and not os.geteuid())):
            why = "permission denied" if os.geteuid() else "it is read-only"
            hint = scope.as_root(or_own=path == scope.etc())
            raise SockwakeError(f"cannot write {path}: {why}", hint)
        if (lock := _take(path, "the lock of all instances", _LONGEST_WORK)) >= 0:
            return lock


def _take(path: str, what: str, patience: float) -> int:
    """Lock a directory; returns the descriptor to close, -1 when it is removed or replaced.

    what: its name in the error. Raises SockwakeError (in use) after patience seconds.
    """
    try:
        lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return -1
    try:
        locks.take(lock, what, patience)
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(lock), os.stat(path)):
                return lock
    except BaseException:
        os.close(lock)
        raise
    os.close(lock)
    return -1


def say(text: str) -> None:
    """Print what a command waits for, when stderr is a terminal."""
    if sys.stderr.isatty():
        print(f"sockwake: {shown(text)} …", file=sys.stderr)


@contextmanager
def held(name: Name, root: str = "", *, only_reads: bool = False) -> Iterator[Instance]:
    """Hold the lock of one instance, or of an abandoned draft; raises SockwakeError.

    The lock of all instances is released, so that work on this one may take long. only_reads: as
    for locked(), when its files stay as they are.
    """
    while True:
        with locked(root, only_reads=only_reads):
            instance = _find(name, root)
        if (lock := _take(instance.etc, f"instance '{name}'", _LONGEST_REMOVAL)) < 0:
            continue
        try:
            if exists(instance):
                yield instance
                return
        finally:
            os.close(lock)


def _find(name: Name, root: str) -> Instance:
    instance = Instance(name, root)
    if exists(instance):
        return instance
    if not (draft := draft_of(name, root)):
        problem = similar.no_instance(name, root)
        if left := others(instance.etc):
            problem.hint = f"{instance.etc} has only what is not sockwake's: {listed(left)}"
        raise problem
    if not is_abandoned(draft):
        raise SockwakeError(f"instance '{name}' is being made by a sockwake-new", status=IN_USE)
    return draft


def take(draft: Instance) -> int:
    """Lock an abandoned draft; returns the descriptor to close, -1 when it is held."""
    try:
        lock = os.open(draft.etc, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return -1
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return -1
    return lock


def is_abandoned(draft: Instance) -> bool:
    """Whether no command has a draft, which it would finish, or an instance."""
    if (lock := take(draft)) < 0:
        return False  # held, or just finished
    os.close(lock)
    return True


def require_free(name: Name, root: str = "") -> None:
    """Raise SockwakeError (exists) when an instance, or a draft in the making, has this name."""
    draft, final = draft_at(name, root), Instance(name, root)
    # the draft first: one that becomes an instance meanwhile is seen as one of the two
    if exists(draft) and not is_abandoned(draft):
        raise SockwakeError(
            f"instance '{name}' is being made by another sockwake-new", status=EXISTS
        )
    if exists(final):
        raise SockwakeError(
            f"instance '{name}' exists already",
            f"{scope.command('sockwake rm', name)} removes it",
            EXISTS,
        )
    for path in (draft.etc, final.etc):
        if os.path.lexists(path) and (
            not os.path.isdir(path) or (path == draft.etc and not exists(draft))
        ):
            found = f", and has {listed(left)} in it" if (left := others(path)) else ""
            raise SockwakeError(
                f"{path} is in the way{found}", "move it away; sockwake has not made it", EXISTS
            )


def delete(instance: Instance) -> None:
    """Delete sockwake's files in an instance's directory, and the directory if it is empty then.

    After an interruption the name is free, or the call can be repeated. Call it under locked().
    """
    doomed = f"{scope.etc(instance.root)}/{_DOOMED}{instance.name}"
    if os.path.islink(instance.etc):  # the target is left
        os.unlink(instance.etc)
        return
    if others(instance.etc) or os.path.lexists(doomed):
        os.makedirs(doomed, exist_ok=True)
        move_written(instance.etc, doomed)
        with suppress(OSError):  # files of the user's are in it
            os.rmdir(instance.etc)
    else:
        os.rename(instance.etc, doomed)
    with suppress(OSError):  # left by a sockwake-new that was killed while it moved the files
        os.rmdir(draft_at(instance.name, instance.root).etc)
    sync(scope.etc(instance.root))
    _erase(doomed)


def move_written(source: str, target: str) -> None:
    """Move sockwake's files into another directory; instance.env, the last, moves the instance."""
    for name in written(source):
        os.rename(f"{source}/{name}", f"{target}/{name}")
    sync(target)


def _erase(path: str) -> None:
    """Delete sockwake's files in a directory, and the directory if it is empty then."""
    if os.path.islink(path):
        os.unlink(path)
        return
    for name in written(path):
        os.unlink(f"{path}/{name}")
    with suppress(OSError):
        os.rmdir(path)


def _names(entries: list[str]) -> Iterator[Name]:
    for entry in entries:
        with suppress(SockwakeError):
            yield Name(entry)


def _entries(root: str) -> list[str]:
    try:
        return sorted(entry.name for entry in os.scandir(scope.etc(root)) if entry.is_dir())
    except FileNotFoundError:
        return []
