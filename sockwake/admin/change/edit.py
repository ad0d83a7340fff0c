"""sockwake edit: an editor on a copy of a file of an instance, which counts when it is valid."""

import os
import shlex
import shutil

from sockwake.admin import inventory
from sockwake.admin.change import definition
from sockwake.admin.change.set import Change
from sockwake.config.instance import Instance, Name
from sockwake.errors import IN_USE, INTERRUPTED, SockwakeError, failure, reason
from sockwake.system import files, process

_EDITOR = "sensible-editor"


def edit(name: Name, file: str, *, root: str, dry_run: bool, force: bool) -> tuple[str, str, str]:
    """Have the user edit a file; returns (difference, sentence, warnings).

    file: its name in the instance's directory. Raises SockwakeError with nothing changed, and with
    what was written left where the error says; the same when a signal interrupts it. With dry_run
    the sentence says it.
    """
    with inventory.held(name, root) as instance:
        inventory.require_finished(instance)
        old = _read(instance, file)
    copy = _copied(file, old)
    done = "", f"{name} is as it was", ""
    try:
        _run_editor(copy)
        new = _text(copy)
        if new != old:
            done = _take(name, file, old, new, root=root, dry_run=dry_run, force=force)
    except (SockwakeError, OSError, KeyboardInterrupt) as error:
        if isinstance(error, KeyboardInterrupt) or _is_edited(copy, old):
            raise _with_place(error, copy) from error
        _forget(copy)
        raise
    if dry_run and new != old:  # it is nowhere else
        return done[0], f"{done[1]}; {_kept(copy)}", done[2]
    _forget(copy)
    return done


def _copied(file: str, text: str) -> str:
    """The path of a file with this name and text, in a directory of its own."""
    import tempfile  # 15 ms

    copy = f"{tempfile.mkdtemp(prefix='sockwake-')}/{file}"
    try:
        files.write_new(copy, 0o600, text)
    except BaseException:
        _forget(copy)
        raise
    return copy


def _forget(copy: str) -> None:
    """Delete what the editor has had, with what it left beside it."""
    shutil.rmtree(os.path.dirname(copy), ignore_errors=True)


def _is_edited(copy: str, old: str) -> bool:
    """Whether the editor has written the file, or another beside it, as it does at a hang-up."""
    place, file = os.path.split(copy)
    there = os.listdir(place)
    if there != [file]:
        return bool(there)
    with open(copy, "rb") as opened:
        return opened.read() != old.encode()


def _with_place(error: SockwakeError | OSError | KeyboardInterrupt, copy: str) -> SockwakeError:
    """The error with the place of the user's version; after a signal an editor may still run."""
    if isinstance(error, KeyboardInterrupt):
        problem = SockwakeError("interrupted", status=INTERRUPTED)
    else:
        problem = failure(error)
    kept = _kept(copy)
    hint = f"{problem.hint}; {kept}" if problem.hint else kept
    return SockwakeError(problem.message, hint, problem.status, problem.said)


def _kept(copy: str) -> str:
    return f"your version is kept in {copy}"


def _take(
    name: Name, file: str, old: str, new: str, *, root: str, dry_run: bool, force: bool
) -> tuple[str, str, str]:
    """Have the edited text in place of the old one."""
    with inventory.held(name, root) as instance:
        if _read(instance, file) != old:
            raise SockwakeError(
                f"{instance.etc}/{file} was changed meanwhile", "edit it again", IN_USE
            )
        change = Change(instance, file, old, new)
        if file != "instance.env":
            definition.require_possible(instance, change.settings, file, new)
        if dry_run:
            return change.diff, "; ".join([f"would change {name}", *change.effects()]), ""
        return change.diff, change.make(force=force, quiet=False), change.warnings()


def _run_editor(path: str) -> None:
    said = os.environ.get("VISUAL") or os.environ.get("EDITOR") or _EDITOR
    try:
        editor = shlex.split(said)
    except ValueError as error:
        raise SockwakeError(f"'{said}' is not a command: {str(error).lower()}") from None
    if status := process.interact([*editor, path]):
        raise SockwakeError(f"{editor[0]} ended with status {status}, so nothing was changed")


def _read(instance: Instance, file: str) -> str:
    path = f"{instance.etc}/{file}"
    try:
        with open(path, encoding="utf-8", newline="") as opened:
            return opened.read()
    except FileNotFoundError:
        raise SockwakeError(f"instance '{instance.name}' has no {file}") from None
    except UnicodeDecodeError:
        raise SockwakeError(f"cannot read {path}: it is not UTF-8") from None


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return file.read()
    except OSError as error:
        raise SockwakeError(f"cannot read {path}: {reason(error)}") from None
    except UnicodeDecodeError:
        raise SockwakeError("what was written is not UTF-8, so nothing was changed") from None
