"""sockwake maintain: what sleep would starve, where it is due; told without waking.

Of a cluster that sleeps the checksums are verified, which a client that comes interrupts. For all
else it is woken and held awake; clients are served meanwhile. Killed at any point nothing is noted,
and the same is due again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sockwake.admin import inventory
from sockwake.admin.upkeep import checksums
from sockwake.admin.upkeep.from_outside import FromOutside
from sockwake.admin.upkeep.in_server import InServer
from sockwake.config import scope
from sockwake.config.instance import Instance, Name
from sockwake.config.settings import Settings, load
from sockwake.errors import SockwakeError
from sockwake.lifecycle import holds, hours, main_process, programs, runtime, upkeep
from sockwake.lifecycle.beside_server import Beside, beside
from sockwake.lifecycle.passing import Place
from sockwake.lifecycle.still import is_awake
from sockwake.lifecycle.upkeep import CHECKSUMS, COLLATION, FREEZE, VACUUM, Due, Note
from sockwake.postgres import cluster, password
from sockwake.postgres.controldata import ControlData
from sockwake.system import locks, systemctl

_PURPOSE = "upkeep"
_PASSFILE = ".pgpass-upkeep"
_IN_SERVER = (FREEZE, VACUUM, COLLATION)
_TO_SLEEP, _MOST_PATIENCE = 5, 60  # seconds that a server may take to end, and with IDLE
_AT_ONCE = 5  # seconds that another upkeep of the instance may take to end


@dataclass(frozen=True)
class Subject:
    """One instance, and what is known of it without waking it.

    control: None where pg_controldata cannot be run: of a user's own instances.
    """

    instance: Instance
    settings: Settings
    control: ControlData | None
    note: Note | None

    @property
    def due(self) -> list[Due]:
        """What is due; where nothing tells, all that a server does."""
        if not self.control:
            return [Due(VACUUM, "only its server can tell what is due")]
        return upkeep.due(
            self.control,
            self.note,
            upkeep.sorts_by(self.instance, self.settings),
            upkeep.mismatched(self.instance, self.settings, self.note),
            time.time(),
        )

    def facts(self) -> dict[str, object]:
        """What --check --json says of it."""
        return {
            "name": self.instance.name,
            "due": [{"work": each.work, "why": each.why} for each in self.due],
            "last": self.note.facts() if self.note else None,
        }

    def sentence(self) -> str:
        """What --check says of it, without a full stop."""
        due = self.due
        name = self.instance.name
        if not due:
            return f"{name}: nothing is due"
        return f"{name}: {'; '.join(f'{each.work}: {each.why}' for each in due)}"


def look(name: Name) -> Subject:
    """What is due of an instance; raises SockwakeError. Wakes nothing."""
    instance = Instance(name)
    if not inventory.exists(instance):
        load(instance)  # which says that there is none
    inventory.require_finished(instance)
    settings = load(instance)
    if not settings.has_cluster:
        raise SockwakeError(
            f"instance '{name}' is no PostgreSQL, and has no upkeep",
            f"{scope.command('sockwake ls')} shows the kinds",
        )
    if os.path.exists(instance.uninitialised_file):
        raise SockwakeError(f"instance '{name}' has no data yet", "its first wake makes them")
    if not scope.is_user():  # who cannot look into it
        cluster.require_there(settings)
    return Subject(instance, settings, _control(instance, settings), upkeep.read(instance))


def _control(instance: Instance, settings: Settings) -> ControlData | None:
    if scope.is_user():
        return None
    place = Place(os.path.realpath(settings.cluster), is_writable=False)
    return programs.of(instance, settings, _PURPOSE).control_data(place)


def maintain(name: Name, *, if_due: bool) -> str:
    """Maintain an instance; what was done, as a sentence without a full stop.

    if_due: only what is due, without waking it for nothing, in the window that MAINTAIN= may have.
    Raises SockwakeError when not all of it could be done, which is noted.
    """
    instance = Instance(name)
    load(instance)
    runtime.make_directories(instance)
    lock = os.open(f"{instance.run}/upkeep.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        locks.take(lock, f"the upkeep of '{name}'", _AT_ONCE)
        return _maintain(look(name), if_due=if_due)
    finally:
        os.close(lock)


def _maintain(subject: Subject, *, if_due: bool) -> str:
    instance, settings = subject.instance, subject.settings
    works = {each.work for each in subject.due}
    end = hours.of_window(settings, time.time()) if if_due else None
    if if_due and end is None and hours.of_window(settings, _began()) is not None:
        return f"left {instance.name} alone: its hours were over before its turn came"
    if end is not None:
        hours.keep_in_window(instance, end)
    if if_due and not works:
        return f"nothing is due of {instance.name}"
    outcome = _Outcome(subject, lambda: end is not None and time.time() >= end)
    has_checksums = subject.control is not None and subject.control.checksums
    verifies = CHECKSUMS in works or (has_checksums and not if_due)
    is_first = not is_awake(instance)
    try:
        if verifies and is_first:
            outcome.verify()
        if not if_due or works & {*_IN_SERVER}:
            outcome.in_server()
        if verifies and not is_first:
            outcome.verify(patience=0 if end else min(settings.idle + _TO_SLEEP, _MOST_PATIENCE))
    except SockwakeError as error:
        outcome.failure = error.whole
        outcome.write()
        raise
    outcome.write()
    done = ", ".join(outcome.done) or "found nothing to do"
    if outcome.damage:
        raise SockwakeError(
            f"a page of '{instance.name}' is damaged: {outcome.damage}",
            f"{scope.command('sockwake backups verify', instance.name)} finds a backup that is not",
        )
    if outcome.failure:
        raise SockwakeError(
            f"the upkeep of '{instance.name}' could not be done as a whole: {outcome.failure}",
            f"{scope.command('sockwake status', instance.name)} tells what was done",
        )
    return f"maintained {instance.name}: {done}"


def _began() -> float:
    """When this process did, in seconds since 1970: as flock(1), which waits for the others."""
    return time.time() - main_process.age(os.getpid())


class _Outcome:
    """What an upkeep does, and what is noted of it in the end."""

    def __init__(self, subject: Subject, is_over: Callable[[], bool]) -> None:
        self._subject = subject
        self._is_over = is_over
        self._note = vars(subject.note or Note()) | {"done": (), "failure": ""}
        self.done: list[str] = []
        self.failure = self.damage = ""

    def verify(self, patience: float = 0) -> None:
        """Verify the checksums, of what sleeps within so many seconds."""
        subject = self._subject
        own = programs.of(subject.instance, subject.settings, _PURPOSE)
        found = checksums.verify(own, subject.instance, subject.settings, patience=patience)
        if found.is_good:
            self._note |= {"verified": time.time(), "damage": ""}
        elif found.damage:
            self._note["damage"] = found.damage
        self.damage = found.damage
        self.done.append(found.sentence)

    def in_server(self) -> None:
        """Have the server do its part, held awake; raises SockwakeError when it cannot start."""
        subject = self._subject
        instance, settings, control = subject.instance, subject.settings, subject.control
        is_old = control is not None and (
            control.freeze_age >= upkeep.WRAPAROUND_AGE or control.multi_age >= 2 * upkeep.MULTI_AGE
        )
        with (
            holds.hold(instance, f"upkeep: {_why(subject)}"),
            _reached(instance, settings) as server,
        ):
            work = InServer(server, settings.major, self._is_over)
            work.work(has_all=is_old)
            self._note["wal"] = work.position()
            run = systemctl.invocation(instance.backend_unit)
        self.done += work.done
        self.failure = work.failure()
        if not work.problems and not self._is_over():
            self._note |= {"sorts_by": upkeep.sorts_by(instance, settings), "run": run}
            if control:
                self._note |= {"frozen_xid": control.next_xid, "frozen_multi": control.next_multi}

    def write(self) -> None:
        """Note it, unless the instance is gone by now."""
        if inventory.exists(self._subject.instance):
            said = {"finished": time.time(), "done": tuple(self.done), "failure": self.failure}
            upkeep.write(self._subject.instance, Note(**self._note | said))


@contextmanager
def _reached(instance: Instance, settings: Settings) -> Iterator[Beside | FromOutside]:
    """How the server is asked, which is awake."""
    if scope.is_user():
        yield FromOutside(instance, settings)
        return
    secret = password.require_password(instance)
    with beside(instance, settings, secret, _PASSFILE) as server:
        yield server


def _why(subject: Subject) -> str:
    """Why it is woken, in few words."""
    due = [each.work for each in subject.due if each.work in _IN_SERVER]
    return ", ".join(due) or "as asked for"
