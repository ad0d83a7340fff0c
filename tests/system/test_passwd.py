"""Another password: in the database and in its file, or in neither, whatever is killed."""

from __future__ import annotations

import fcntl
import os
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from client import Refused
from database import Database
from instances import Make
from moment import until, until_gone
from program import must, run, start
from soak import only_in_soak
from test_access import shown

ODD = "gehe\u0069\u0308m @:/?#'\\ \u2168"


def logs_in(database: Database, password: str) -> bool:
    argv = ("psql", "-h", "127.0.0.1", "-p", str(database.port), "-U", "postgres", "-wXAtc")
    return run(*argv, "select 1", env={"PGPASSWORD": password}).status == 0


def test_database_and_file_get_it_and_sessions_go_on(instance: Make) -> None:
    database = instance()
    old = database.password
    (database.etc / "password").chmod(0o640)
    session = database.at_work()
    rotating = start("sockwake", "passwd", "pg1")
    assert shown(old, rotating) == [] and rotating.returncode == 0
    said = rotating.stdout.read() if rotating.stdout else ""
    new = database.password
    assert said == f"pg1 has a new password, in {database.etc}/password.\n" and len(new) == 32
    assert stat.S_IMODE((database.etc / "password").stat().st_mode) == 0o640
    assert session.value("select 42") == "42"
    assert [logs_in(database, each) for each in (old, new)] == [False, True]
    shell = 'eval "$(sockwake env pg1)"; sockwake passwd pg1 >/dev/null; psql -wXAtc "select 43"'
    assert must("sh", "-c", shell) == "43\n"
    session.close()
    database.asleep()
    run("sockwake", "passwd", "pg1", "--password-file", "-", stdin=f"{ODD}\nmore\n").expect(0)
    assert database.password == ODD and logs_in(database, ODD)
    assert must("psql", must("sockwake", "dsn", "--password", "pg1").strip(), "-XAtc", "select 4")
    text = database.journal()
    assert ODD not in text and new not in text


def test_what_cannot_be_changed_is_refused_and_stays(instance: Make) -> None:
    database = instance()
    old = database.password
    database.password = "wrong"
    run("sockwake", "passwd", "pg1").expect(1, "cannot log in to 'pg1' with the password in")
    database.password = ""
    run("sockwake", "passwd", "pg1").expect(1, "its cluster was adopted without it", "write it")
    database.password = old
    database.psql("alter role postgres set default_transaction_read_only = on")
    run("sockwake", "passwd", "pg1").expect(1, "refuses another password for postgres", "read-only")
    assert database.password == old and logs_in(database, old)
    assert not (database.etc / "password.new").exists()


def tree_of(pid: int) -> list[int]:
    """A process and all that descend from it."""
    found = [pid]
    for each in found:
        with suppress(OSError):
            children = Path(f"/proc/{each}/task/{each}/children").read_text().split()
            found += map(int, children)
    return found


def ends(pids: list[int]) -> None:
    until("all of them have ended", lambda: not any(map(runs, pids)))


def runs(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


@pytest.mark.fault
@pytest.mark.parametrize(
    "whole", [True, *only_in_soak(False)], ids=["all its processes", "command"]
)
def test_killed_at_any_moment_both_have_the_same(instance: Make, whole: bool) -> None:
    """The command alone: what it began goes on. All of it: the next that connects settles it.

    The moments close in on the one at which the password changes, however busy the machine is.
    """
    database = instance()
    session = database.at_work()
    began = time.monotonic()
    must("sockwake", "passwd", "pg1")
    moment = (time.monotonic() - began) * 0.7
    outcomes = set()
    for step in range(12):
        old = database.password
        rotating = start("sockwake", "passwd", "pg1")
        time.sleep(moment)
        killed = killed_now(rotating, whole=whole)
        if whole:
            run("sockwake", "psql", "pg1", "-XAtc", "select 1").expect(0, "1")
        else:
            ends(killed)
        assert logs_in(database, database.password), f"killed after step {step}"
        assert whole or not (database.etc / "password.new").exists() or database.password == old
        is_old = database.password == old
        moment *= 1.3 if is_old else 0.8
        outcomes.add(is_old)
    assert outcomes == {True, False}, "it was killed both before and after"
    run("sockwake", "passwd", "pg1").expect(0)
    assert session.value("select 1") == "1" and not (database.etc / "password.new").exists()
    session.close()


def killed_now(rotating: subprocess.Popen[str], *, whole: bool) -> list[int]:
    """Kill a command, or all its processes; returns those that descend from it."""
    every = tree_of(rotating.pid)
    for pid in every if whole else every[:1]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    rotating.wait(20)
    return every[1:]


@pytest.mark.fault
def test_a_wake_by_a_passwd_at_work_leaves_no_client_behind_that_wakes_it_again(
    instance: Make,
) -> None:
    """Its wake finds what it is writing, and waits for its end before it looks again."""
    database = instance()
    beside = database.etc / "password.new"
    with locked(database.etc):  # as passwd has it
        beside.write_text("its own\n")
        assert logs_in(database, database.password)
        until("the wake has it looked at", lambda: settling(database))
        beside.unlink()
        database.put_to_sleep()
    until_gone("it has looked", lambda: settling(database))
    database.asleep()
    assert database.journal(f"--unit={database.backend}").count("woken by") == 1


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def settling(database: Database) -> str:
    """The units that settle which password is right, as systemctl lists them."""
    units = must("systemctl", "list-units", "--plain", "--no-legend", "run-*.service")
    return "\n".join(line for line in units.splitlines() if f"password of {database.name}" in line)


@pytest.mark.fault
def test_what_was_interrupted_is_settled_by_the_next_that_connects(instance: Make) -> None:
    """As a power cut leaves it: written beside, and taken by the database or not."""
    database = instance()
    old, new = database.password, "another"
    beside = database.etc / "password.new"
    beside.write_text(f"{new}\n")
    run("sockwake", "psql", "pg1", "-XAtc", "select 1").expect(0)
    assert database.password == old and not beside.exists()
    database.psql(f"alter role postgres password '{new}'")
    beside.write_text(f"{new}\n")
    run("sockwake", "psql", "pg1", "-XAtc", "select 1").expect(0)
    assert database.password == new and not beside.exists()
    for number, given in enumerate(("by a wake", "by another")):
        database.asleep()
        if number:
            database.psql(f"alter role postgres password '{given}'")
            database.asleep()
        before = database.password
        beside.write_text(f"{given}\n")
        must("sockwake", "wake", "pg1")
        until("the wake has it settled", lambda: not beside.exists())
        assert database.password == (given if number else before)
        assert logs_in(database, database.password)
    beside.write_text("a third\n")
    run("sockwake", "passwd", "pg1").expect(0)
    assert logs_in(database, database.password) and not beside.exists()
    with pytest.raises(Refused):
        database.password = "wrong"
        database.connect()
    database.password = "wrong"
    beside.write_text("wrong, too\n")
    run("sockwake", "psql", "pg1").expect(1, "neither the new one", "lets in")
    beside.unlink()
