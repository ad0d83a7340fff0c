"""Every wait for a lock ends, and tells what it waits for."""

import os
import pty
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sockwake.admin import inventory
from sockwake.config import settings
from sockwake.errors import IN_USE, SockwakeError
from sockwake.lifecycle import runtime
from sockwake.system import locks
from tree import SOURCE, Tree

PROXY = SOURCE / "bin/proxy"


@pytest.fixture
def directory(tree: Tree) -> str:
    path = f"{tree}/etc/sockwake"
    os.makedirs(path)
    return path


@contextmanager
def held(path: str, *how: str) -> Iterator[subprocess.Popen[str]]:
    argv = ["flock", "--no-fork", *how, path, "sh", "-c", "echo held; exec sleep 60"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout and holder.stdout.readline() == "held\n"
        yield holder
        holder.kill()


@pytest.fixture
def holder(directory: str) -> Iterator[subprocess.Popen[str]]:
    with held(directory) as process:
        yield process


def test_the_lock_of_all_instances_is_given_up_for(
    tree: Tree, holder: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inventory, "_LONGEST_WORK", 0.2)
    said = rf"the lock of all instances was not free within 0\.2 s: process {holder.pid} has it"
    with pytest.raises(SockwakeError, match=said) as caught, inventory.locked(str(tree)):
        raise AssertionError("it was not free")
    assert caught.value.status == IN_USE


def test_the_lock_of_a_wake_is_given_up_for(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """A compromised proxy may share it for ever."""
    monkeypatch.setattr(runtime, "_WAKE_LOCK", 0.2)
    instance = tree.instance("pg1")
    runtime.prepare(instance)
    Path(instance.wake_lock).write_text("")
    before = len(os.listdir("/proc/self/fd"))
    said = r"the lock of its wake was not free within 0\.2 s"
    with held(instance.wake_lock, "--shared"), pytest.raises(SockwakeError, match=said):
        runtime.lock_wake(instance)
    assert len(os.listdir("/proc/self/fd")) == before
    os.close(runtime.lock_wake(instance))


def test_a_lock_that_comes_free_in_time_is_taken(directory: str) -> None:
    with subprocess.Popen(
        ["flock", directory, "sh", "-c", "echo; sleep 0.3"], stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout and holder.stdout.readline()
        lock = os.open(directory, os.O_RDONLY)
        locks.take(lock, "it", 20)
        os.close(lock)


@pytest.mark.parametrize("reader", ["terminal", "journal", "a pipe"])
def test_after_a_second_a_terminal_or_the_journal_is_told(
    tree: Tree, holder: subprocess.Popen[str], reader: str
) -> None:
    ours, theirs = pty.openpty() if reader == "terminal" else os.pipe()
    end = os.fstat(theirs)
    place = f"{end.st_dev}:{end.st_ino}" if reader == "journal" else "8:1"  # another's, inherited
    program = (
        f"import sys; sys.path.insert(0, {str(SOURCE)!r}); from sockwake.admin import inventory\n"
        f"inventory._LONGEST_WORK = 1.5\nwith inventory.locked({str(tree)!r}): pass"
    )
    argv = [sys.executable, "-ISB", "-c", program]
    began = time.monotonic()
    subprocess.run(argv, stderr=theirs, env={"JOURNAL_STREAM": place}, check=False, timeout=30)
    assert time.monotonic() - began > 1.5
    os.close(theirs)
    said = os.read(ours, 65536).decode()
    assert (
        f"sockwake: waiting for the lock of all instances: process {holder.pid} has it" in said
    ) is (reader != "a pipe")
    os.close(ours)


@pytest.mark.parametrize(("timeout", "limit"), [("60s", 3720), ("2h", 18000)])
def test_the_proxy_is_told_how_long_a_wake_may_take(tree: Tree, timeout: str, limit: int) -> None:
    tree.new("pg1")
    instance = tree.instance("pg1")
    runtime.prepare(instance)
    with open(instance.env_file, "a", encoding="utf-8") as file:
        file.write(f"START_TIMEOUT={timeout}\n")
    lock = runtime.lock_wake(instance)
    runtime.promise_end(lock, settings.load(instance))
    os.close(lock)
    assert Path(instance.wake_lock).read_text() == f"{limit}\n"
    assert f"|| limit={runtime._PREPARATION}" in PROXY.read_text()
    waits = [
        line.strip()
        for path in (PROXY, SOURCE / "bin/await")
        for line in path.read_text().splitlines()
        if line.strip().startswith("flock ") and "--timeout" not in line
    ]
    assert waits == ["flock --shared 9"], "more than the guard, for which nothing waits"
