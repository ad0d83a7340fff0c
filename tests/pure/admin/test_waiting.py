"""Commands wait for each other, say so, and not for ever; one that is ended leaves nothing."""

import fcntl
import os
import pty
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sockwake.admin import inventory
from sockwake.config.instance import Name
from sockwake.errors import IN_USE, SockwakeError
from tree import SOCKWAKE, Tree


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """As another command has it."""
    held = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


def on_a_terminal(*argv: str, until: bytes) -> tuple["subprocess.Popen[bytes]", bytes]:
    """A command whose stderr is a terminal, and what it says there until it has said that."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=theirs
    )
    os.close(theirs)
    threading.Timer(30, process.kill).start()
    said = b""
    while until not in said:
        said += os.read(ours, 1000)
    return process, said


def test_who_waits_for_another_command_says_so_on_a_terminal(tree: Tree) -> None:
    tree.new("pg1")
    for path, what, words in (
        ("etc/sockwake", "the lock of all instances", ["new", "pg2", "--version", "18"]),
        ("etc/sockwake/pg1", "instance 'pg1'", ["rm", "pg1"]),
    ):
        with locked(tree.path / path):
            process, said = on_a_terminal(*SOCKWAKE, *words, "--root", str(tree), until=b"\n")
            assert (
                said.decode().strip()
                == f"sockwake: waiting for {what}: process {os.getpid()} has it"
            )
        assert process.wait(30) == 0


def test_what_is_done_to_one_instance_holds_up_no_other(tree: Tree) -> None:
    tree.new("pg1")
    with inventory.held(Name("pg1"), str(tree)):
        assert tree.sockwake("new", "pg2", "--version", "18").status == 0
        assert tree.sockwake("rm", "pg2").status == 0
        assert "exists already" in tree.sockwake("new", "pg1", "--version", "18").stderr


@pytest.mark.parametrize(
    ("which", "what"), [("", "the lock of all instances"), ("/pg1", "instance 'pg1'")]
)
def test_no_command_waits_for_ever(
    tree: Tree, which: str, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree.new("pg1")
    monkeypatch.setattr(inventory, "_LONGEST_WORK", 0.3)
    monkeypatch.setattr(inventory, "_LONGEST_REMOVAL", 0.3)
    before = os.listdir("/proc/self/fd")
    with (
        locked(tree.path / f"etc/sockwake{which}"),
        pytest.raises(
            SockwakeError, match=f"{what} was not free within 0.3 s: process {os.getpid()} has it"
        ) as caught,
        inventory.held(Name("pg1"), str(tree)),
    ):
        pass
    assert caught.value.status == IN_USE and os.listdir("/proc/self/fd") == before
    with inventory.held(Name("pg1"), str(tree)):
        pass


@pytest.fixture
def maker(tree: Tree) -> Iterator["subprocess.Popen[str]"]:
    """A sockwake-new that waits, with its draft made, for systemctl, which never comes back."""
    slow = tree.path / "bin"
    slow.mkdir()
    (slow / "systemctl").write_text('#!/bin/sh\n[ "$3" != enable ] || exec sleep 60\n')
    (slow / "systemctl").chmod(0o755)
    program = f"""import os, sys
sys.path.insert(0, {str(Path(__file__).resolve().parents[3])!r})
from sockwake.admin import cli; from sockwake.config import scope
scope._PATH = {str(slow)!r} + ":" + scope._PATH
sys.exit(cli.main(["new", "pg1", "--version", "18", "--enable", "--root", {str(tree)!r}]))"""
    process = subprocess.Popen(
        [SOCKWAKE[0], "-c", program], stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    deadline = time.monotonic() + 30
    while not os.path.exists(tree.instance("pg1").etc):
        assert time.monotonic() < deadline and process.poll() is None, process
        time.sleep(0.01)
    time.sleep(0.2)
    yield process
    process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGINT])
def test_whatever_ends_it_politely_what_was_begun_is_undone(
    tree: Tree, maker: "subprocess.Popen[str]", number: int
) -> None:
    for each in (
        number,
        signal.SIGHUP,
        signal.SIGTERM,
    ):  # a lost terminal is told of by the kernel, the shell and logind
        maker.send_signal(each)
        time.sleep(0.05)
    assert (maker.communicate(timeout=30)[1], maker.returncode) == (
        "sockwake: error: interrupted; it can be run again\n",
        130,
    )
    assert not os.path.exists(f"{tree}/etc/sockwake")


def test_nohup_keeps_it_at_work(tree: Tree) -> None:
    (tree.path / "etc/sockwake").mkdir()
    with locked(tree.path / "etc/sockwake"):
        argv = [*SOCKWAKE, "new", "pg1", "--version", "18", "--root", str(tree)]
        process = subprocess.Popen(
            argv,
            stdout=subprocess.DEVNULL,
            preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN) and None,  # noqa: PLW1509
        )
        time.sleep(0.5)
        process.send_signal(signal.SIGHUP)
        time.sleep(0.2)
    assert process.wait(30) == 0 and os.path.exists(tree.instance("pg1").etc)
