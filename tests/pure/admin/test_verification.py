"""What is damage of a backup, and what is the machine's own fault."""

import errno
import os
import threading
from collections.abc import Callable
from typing import cast

import pytest

from sockwake.admin.backup import verification
from sockwake.admin.upkeep import checksums
from sockwake.errors import SockwakeError
from sockwake.lifecycle.backups import DamagedError
from sockwake.lifecycle.passing import Place
from sockwake.lifecycle.programs import Programs
from sockwake.system.process import ProgramError

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/run/sockwake/pg1/programs/verify/log")
FATAL = "FATAL:  could not write to file: No space left on device"


PLACE = Place("/srv/data", is_writable=False)


class Machine:
    """What runs PostgreSQL's own programs; error: what every one of them ends with."""

    def __init__(self, error: Exception | None = None) -> None:
        self._error = error
        self.passing = self

    def seen(self, place: Place) -> str:
        return place.path

    def run(self, *_: str, **__: object) -> str:
        if self._error:
            raise self._error
        return "postgres (PostgreSQL) 18.0"


def found(machine: Machine, error: Exception) -> type[Exception]:
    """What an error within a proof comes to."""
    with pytest.raises(SockwakeError) as caught, verification._damage(cast(Programs, machine)):
        raise error
    return caught.type


def refused(said: str) -> Callable[[], ProgramError]:
    return lambda: ProgramError(["pg_verifybackup"], 1, said)


@pytest.mark.parametrize("said", ["error: checksum mismatch for file", "PANIC:  bogus data"])
def test_what_a_program_says_is_damage_where_programs_run(said: str) -> None:
    assert found(Machine(), refused(said)()) is DamagedError
    assert found(Machine(FULL), refused(said)()) is SockwakeError
    assert found(Machine(refused("exec failed")()), refused(said)()) is SockwakeError


QUOTA = refused(FATAL.replace(os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT)))


@pytest.mark.parametrize(
    "error", [FULL, refused(FATAL)(), QUOTA()], ids=["kernel", "server", "quota"]
)
def test_a_full_disk_is_no_damage(error: Exception) -> None:
    assert found(Machine(), error) is SockwakeError


@pytest.mark.parametrize("said", ["", "LOG:  redo starts at 0/2000028", "Killed"])
def test_a_program_that_was_killed_tells_no_damage(said: str) -> None:
    assert found(Machine(), refused(said)()) is SockwakeError
    with pytest.raises(SockwakeError, match="was ended before it had read all pages"):
        checksums._verified(cast(Programs, Machine(refused(said)())), PLACE, threading.Event())
    good = checksums._verified(cast(Programs, Machine()), PLACE, threading.Event())
    assert good.is_good and not good.damage


def test_a_page_that_is_wrong_is_told() -> None:
    said = "pg_checksums: error: checksum verification failed in file x, block 1"
    told = checksums._verified(cast(Programs, Machine(refused(said)())), PLACE, threading.Event())
    assert told.damage == "checksum verification failed in file x, block 1"


def test_a_file_that_is_not_there_is_damage() -> None:
    gone = FileNotFoundError(errno.ENOENT, "No such file or directory", "data/globals.sql")
    assert found(Machine(), gone) is DamagedError
    assert found(Machine(), KeyError("globals_sha256")) is DamagedError
