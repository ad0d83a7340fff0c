"""/run/sockwake/NAME, the locks, and the reason a wake leaves there when it fails."""

import errno
import fcntl
import os
import stat
from pathlib import Path

import pytest

from sockwake.errors import IN_USE, UNKNOWN, SockwakeError
from sockwake.lifecycle import runtime
from sockwake.service import waker
from sockwake.system import files
from tree import Tree


def mode(path: str) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


def test_only_root_gets_to_the_backend_whatever_the_umask(tree: Tree) -> None:
    instance = tree.instance("pg1")
    before = os.umask(0o077)
    try:
        runtime.prepare(instance)
    finally:
        os.umask(before)
    assert [
        mode(path) for path in (os.path.dirname(instance.run), instance.run, instance.backend)
    ] == [0o700, 0o755, 0o755]


def test_a_backend_directory_that_its_container_owns_is_left_as_it_is(tree: Tree) -> None:
    instance = tree.instance("pg1")
    runtime.prepare(instance)
    os.chmod(instance.backend, 0o3775)
    runtime.prepare(instance)
    assert mode(instance.backend) == 0o3775


def test_how_the_last_wake_ended_is_forgotten(tree: Tree) -> None:
    instance = tree.instance("pg1")
    runtime.prepare(instance)
    for path in (instance.ready_file, instance.failure_file, instance.failure_details):
        files.replace_volatile(path, "x\n")
    runtime.prepare(instance)
    assert not os.path.exists(instance.ready_file) and not os.path.exists(instance.failure_file)
    assert not os.path.exists(instance.failure_details)


def test_data_are_used_by_one_at_a_time(tree: Tree) -> None:
    instance, data = tree.instance("pg1"), str(tree)
    first = runtime.take_data(instance, data)
    with pytest.raises(SockwakeError, match=f"another instance is using {data}") as caught:
        runtime.take_data(instance, data)
    assert caught.value.status == IN_USE
    os.close(first)
    os.close(runtime.take_data(instance, data))


@pytest.mark.parametrize("why", [errno.EBADF, errno.ENOLCK])
def test_a_file_system_that_cannot_lock_a_directory_is_named_and_nothing_stays_open(
    tree: Tree, why: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NFS says so (flock(2)); there is none in here."""

    def flock(fd: int, how: int) -> None:
        raise OSError(why, os.strerror(why))

    monkeypatch.setattr(fcntl, "flock", flock)
    before = os.listdir("/proc/self/fd")
    with pytest.raises(
        SockwakeError, match=f"cannot lock data directory {tree}: {os.strerror(why).lower()}"
    ) as caught:
        runtime.take_data(tree.instance("pg1"), str(tree))
    assert "NFS" in caught.value.hint
    assert os.listdir("/proc/self/fd") == before


def test_only_for_a_cluster_that_was_never_made_a_directory_is_made(tree: Tree) -> None:
    """Else it is a disk that is not mounted."""
    instance, data = tree.write_env("pg1", ""), f"{tree}/srv/pg"
    with pytest.raises(
        SockwakeError, match=f"cannot use data directory {data}: no such file or directory"
    ):
        runtime.take_data(instance, data)
    Path(instance.uninitialised_file).write_text("")
    os.close(runtime.take_data(instance, data))
    assert mode(data) & 0o066 == 0


@pytest.mark.parametrize(
    ("env", "reason"),
    [
        ("nonsense", "{env_file}:1 is not KEY=value"),
        ("", "{env_file}: key 'KIND' is missing"),
        (None, "there is no instance 'pg1'"),
    ],
)
def test_a_wake_that_fails_at_once_leaves_its_reason_for_the_client(
    tree: Tree, env: str | None, reason: str
) -> None:
    """Also the first one after a boot, when nothing is in /run yet."""
    instance = tree.instance("pg1")
    if env is not None:
        tree.write_env("pg1", env)
    with pytest.raises(SockwakeError) as caught:
        waker.wake(instance)
    assert caught.value.status == (UNKNOWN if env is None else 1)
    assert (
        Path(instance.failure_file).read_text() == reason.format(env_file=instance.env_file) + "\n"
    )
    assert not os.path.exists(instance.ready_file)


def test_what_was_said_about_a_failure_is_roots_alone_whatever_the_umask(tree: Tree) -> None:
    instance = tree.instance("pg1")
    runtime.prepare(instance)
    secret = "cannot reach postgres://app:s3cret@db/app"
    before = os.umask(0)
    try:
        runtime.leave_failure(
            instance, SockwakeError("its container ended with status 1", said=secret)
        )
    finally:
        os.umask(before)
    assert Path(instance.failure_file).read_text() == "its container ended with status 1\n"
    assert mode(instance.failure_file) == 0o644 and mode(instance.failure_details) == 0o600
    assert runtime.last_failure(instance) == f"its container ended with status 1: {secret}"
    runtime.leave_failure(instance, SockwakeError("the service that starts it was killed"))
    assert runtime.last_failure(instance) == "the service that starts it was killed"


def test_of_a_failure_that_was_not_foreseen_only_its_kind_is_told(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its text may have anything in it."""
    tree.new("pg1")
    instance = tree.instance("pg1")

    def broken(*_: object) -> None:
        raise KeyError("s3cret")

    monkeypatch.setattr("sockwake.lifecycle.proxy_netns.require_agreement", broken)
    with pytest.raises(KeyError):
        waker.wake(instance)
    assert Path(instance.failure_file).read_text() == "it failed with KeyError\n"
    assert runtime.last_failure(instance) == "it failed with KeyError: 's3cret'"
