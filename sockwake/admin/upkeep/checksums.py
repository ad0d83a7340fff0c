"""The checksums of a cluster that sleeps, verified by pg_checksums(1); a client comes first."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sockwake.config.instance import Instance
from sockwake.config.settings import Settings
from sockwake.errors import SockwakeError
from sockwake.lifecycle import programs
from sockwake.lifecycle.passing import Place
from sockwake.lifecycle.programs import Programs
from sockwake.lifecycle.still import AwakeError, is_awake, still
from sockwake.system import process, systemctl

_LONGEST = 7 * 86_400  # seconds
_ASK_EVERY = 0.2  # seconds until a client that comes is noticed


@dataclass(frozen=True)
class Verified:
    """What became of it. is_good: whether all are right. damage: what is wrong, or "".

    sentence: as the end of one.
    """

    is_good: bool
    damage: str
    sentence: str


def verify(
    own: Programs, instance: Instance, settings: Settings, *, patience: float = 0
) -> Verified:
    """Verify them while the instance sleeps on; raises SockwakeError when that cannot be done.

    patience: seconds that it may still be awake.
    """
    place = Place(os.path.realpath(settings.cluster), is_writable=False)
    deadline = time.monotonic() + patience
    while is_awake(instance) and time.monotonic() < deadline:
        time.sleep(_ASK_EVERY)
    try:
        with still(instance, settings) as is_wanted:
            if not own.control_data(place).is_stopped:
                return _left("its server has not ended as it should")
            with _given_up(own.passing.unit, is_wanted) as client:
                return _verified(own, place, client)
    except AwakeError:
        return _left("it is awake")


def _verified(own: Programs, place: Place, client: threading.Event) -> Verified:
    said: list[str] = []
    try:
        own.run("pg_checksums", "--check", "--pgdata", place, timeout=_LONGEST, said=said)
    except process.ProgramError as error:
        if client.is_set():
            return _left("a client has come")
        if not programs.has_complained(error.output):
            raise SockwakeError(
                "pg_checksums was ended before it had read all pages", said=error.whole
            ) from None
        found = error.said.rpartition("error: ")[2] or error.message
        return Verified(False, found.replace(own.passing.seen(place), place.path), "found damage")
    return Verified(True, "", "verified the checksums of all pages")


def _left(why: str) -> Verified:
    return Verified(False, "", f"left the checksums for another time: {why}")


@contextmanager
def _given_up(unit: str, is_wanted: Callable[[], bool]) -> Iterator[threading.Event]:
    """End a passing unit as soon as a client has come; the event tells whether one has."""
    is_done, client = threading.Event(), threading.Event()

    def watch() -> None:
        while not is_done.wait(_ASK_EVERY):
            try:
                if is_wanted():
                    client.set()
                    systemctl.signal(unit, "KILL", all_processes=True)
                    return
            except SockwakeError:
                continue  # systemd is busy; it is asked again

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield client
    finally:
        is_done.set()
        watcher.join()
