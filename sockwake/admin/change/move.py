"""sockwake runtime NAME RUNTIME: have another runtime wake an instance, whole or not at all.

What takes time is done first, beside clients. Then wakes are held back while the line RUNTIME= is
written, what the new runtime needs is made, and systemd reads both: a client that comes meanwhile
waits in the socket's queue. A start is the proof; without one all is as before. The file "moving"
is there from the first change to the proof, so that a move that was killed is finished by the next.
"""

import os
import re
from contextlib import suppress

from sockwake.admin import inventory
from sockwake.admin.change.asleep import awake_again, held_asleep, require_unused
from sockwake.admin.make import trial
from sockwake.admin.upkeep import upgraded
from sockwake.config import forwarding, scope
from sockwake.config.instance import Instance, Name
from sockwake.config.settings import Settings, load
from sockwake.errors import SockwakeError
from sockwake.kinds.table import CRUN, ENGINE
from sockwake.lifecycle import destination, needs_engine, runtime
from sockwake.lifecycle.still import held_back
from sockwake.system import files, systemctl

_ABSENT = "-"  # in the file "moving": there was no line RUNTIME=
_LINE = re.compile(r"^RUNTIME=(.*)(?:\n|\Z)", re.MULTILINE)


def move(name: Name, to: str, *, root: str = "", quiet: bool = False) -> str:
    """Have the runtime `to` wake an instance; returns what was done, as a sentence.

    Raises SockwakeError with nothing changed (in use while clients are connected).
    """
    with inventory.held(name, root) as instance:
        inventory.require_finished(instance)
        settings = load(instance)
        require_possible(instance, settings, to)
        forwarding.require_none(instance)
        upgraded.require_settled(instance)  # its note has texts with the old runtime
        begun = files.text_of(instance.moving_file).strip()
        if settings.runtime == to and not begun and _is_read(instance, settings):
            said = destination.forget_other(instance, settings)
            return "; ".join([f"{name} is woken by {_title(settings)} already", *said])
        require_unused(instance, settings)
        with awake_again(instance):  # its hours go on
            return _Move(instance, settings, to, begun, quiet=quiet).make()


def require_possible(instance: Instance, settings: Settings, to: str) -> None:
    """Raise SockwakeError when the runtime cannot wake the instance."""
    if not settings.is_container:
        raise SockwakeError(
            f"instance '{instance.name}' is a program, which systemd itself wakes",
            "crun and engine are for containers",
        )
    if to == CRUN and (why := needs_engine.by_files(instance, settings)):
        raise needs_engine.EngineNeededError(why, f"{settings.engine} goes on to wake it")


class _Move:
    """One move. begun: what a move that was killed has left in the file "moving"."""

    def __init__(
        self, instance: Instance, settings: Settings, to: str, begun: str, *, quiet: bool
    ) -> None:
        self._instance = instance
        self._old = settings
        with open(instance.env_file, encoding="utf-8", newline="") as file:
            text = file.read()
        line = _LINE.search(text)
        self._before = begun or (line[1] if line else "") or _ABSENT
        self._text = with_runtime(text, to)
        self._old_text = with_runtime(text, "" if self._before == _ABSENT else self._before)
        self._new = Settings(self._text, instance)
        self._quiet = quiet

    def make(self) -> str:
        instance = self._instance
        if instance.root or not systemctl.is_running():
            self._write(self._text)
            files.remove(instance.moving_file)
            return (
                f"{instance.name} will be woken by {_title(self._new)}, which makes what it needs"
            )
        inventory.say(f"preparing '{instance.name}' for {_title(self._new)}")
        destination.prepare(instance, self._new, quiet=self._quiet)
        by_hand = Settings(with_runtime(self._text, ENGINE), instance)
        with held_asleep(instance, self._old, by_hand=by_hand):
            files.replace(instance.moving_file, 0o644, f"{self._before}\n")
            try:
                self._write(self._text)
                destination.make(instance, self._new)
                systemctl.reload()
            except BaseException:
                self._go_back()
                raise
        try:
            trial.try_out(instance, self._new)
        except BaseException:
            with held_back(instance):
                systemctl.stop(instance.backend_unit)
                self._go_back()
            raise
        files.remove(instance.moving_file)
        files.sync(instance.etc)
        said = destination.forget_other(instance, self._new)
        return "; ".join([f"{instance.name} is woken by {_title(self._new)} now", *said])

    def _go_back(self) -> None:
        """Have the old runtime wake it again; what it needs has not been touched."""
        instance = self._instance
        self._write(self._old_text)
        systemctl.reload()
        systemctl.reset(instance.backend_unit, instance.proxy_unit)
        runtime.forget_failure(instance)
        files.remove(instance.moving_file)
        with suppress(SockwakeError):  # the error that led here is the one to tell
            destination.forget_other(instance, Settings(self._old_text, instance))

    def _write(self, text: str) -> None:
        path = os.path.realpath(self._instance.env_file)
        files.replace(path, os.stat(path).st_mode & 0o777, text)


def with_runtime(text: str, value: str) -> str:
    """instance.env with the line RUNTIME=value, "" for none; every other line stays as it is."""
    if not value:
        return _LINE.sub("", text)
    line = f"RUNTIME={value}\n"
    if _LINE.search(text):
        return _LINE.sub(line, text)
    return re.sub(r"^(KIND=.*)$", rf"\1\n{line[:-1]}", text, count=1, flags=re.MULTILINE)


def _title(settings: Settings) -> str:
    return settings.engine if settings.runtime == ENGINE else settings.runtime


def _is_read(instance: Instance, settings: Settings) -> bool:
    """Whether systemd has read the line RUNTIME= that is there."""
    if instance.root or scope.is_user() or not systemctl.is_running():
        return True
    return runtime.is_crun(instance) == settings.is_bundled
