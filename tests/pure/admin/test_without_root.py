"""What an ordinary user may not see is told as that, and never as what is not there."""

import os
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from refusals import told

from baked_tree import make_fit
from sockwake.config.settings import load
from sockwake.engine.api import Engine, EngineError
from sockwake.errors import FAILED
from sockwake.oci import bundle
from sockwake.postgres import cluster
from sockwake.system import files
from tree import SOCKWAKE, Ran, Tree

NOBODY = 65534


@pytest.fixture
def seen() -> Iterator[Tree]:
    """A tree that another user sees, as far as the modes in it have it."""
    with tempfile.TemporaryDirectory() as base:
        os.chmod(base, 0o755)
        yield Tree(Path(base) / "tree")


@contextmanager
def closed(path: Path) -> Iterator[None]:
    """A directory that only root looks into."""
    path.chmod(0 if os.getuid() else 0o700)
    try:
        yield
    finally:
        path.chmod(0o755)


@contextmanager
def as_user() -> Iterator[None]:
    """This process without root."""
    before = os.geteuid()
    os.seteuid(before or NOBODY)
    try:
        yield
    finally:
        os.seteuid(before)


def sockwake(tree: Tree, *arguments: str) -> Ran:
    argv = (*SOCKWAKE, *arguments, "--root", str(tree))
    done = subprocess.run(
        argv,
        check=False,
        user=os.getuid() or NOBODY,
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    return Ran(argv, done.returncode, done.stdout, done.stderr)


def test_only_what_is_not_there_does_not_exist(seen: Tree) -> None:
    (seen.path / "etc/file").write_text("")
    (seen.path / "etc/link").symlink_to("nowhere")
    assert files.exists(f"{seen}/etc/file") and files.exists(f"{seen}/etc")
    for path in ("etc/other", "etc/link", "etc/file/below", "none/at/all"):
        assert not files.exists(f"{seen}/{path}")
    (seen.path / "etc/circle").symlink_to("circle")
    with pytest.raises(OSError, match="symbolic links"):
        files.exists(f"{seen}/etc/circle")
    with closed(seen.path / "etc"), as_user(), pytest.raises(PermissionError):
        files.exists(f"{seen}/etc/other")


def test_a_cluster_that_may_not_be_seen_is_not_called_missing(seen: Tree) -> None:
    seen.new("pg1")
    os.unlink(seen.instance("pg1").uninitialised_file)
    seen.write_cluster("/var/lib/sockwake/pg1/18/docker", "18")
    assert sockwake(seen, "apply", "--check").status == 0
    place = seen.path / "var/lib/sockwake/pg1/18/docker"
    with closed(place):
        ran = sockwake(seen, "apply", "--check", "pg1")
        assert (ran.status, ran.stdout) == (FAILED, ""), ran
        assert ran.stderr == told(
            f"cannot use {place}/PG_VERSION: permission denied", "run this as root"
        )
        settings = load(seen.instance("pg1"))
        with as_user(), pytest.raises(PermissionError):
            cluster.require_there(settings)


def test_a_bundle_that_may_not_be_seen_is_not_called_outdated(seen: Tree) -> None:
    seen.new("pg1")
    instance = seen.instance("pg1")
    place = Path(bundle.path(instance))
    (place / "made-of").mkdir(parents=True)
    for name, text in bundle.sources(instance).items():
        (place / "made-of" / name).write_text(text)
    with as_user():
        assert bundle.is_current(instance)
    with closed(place), as_user(), pytest.raises(PermissionError):
        bundle.is_current(instance)


def test_check_finds_nothing_of_what_it_may_not_see(seen: Tree) -> None:
    make_fit(seen)
    os.unlink(seen.instance("shop").uninitialised_file)
    seen.write_cluster("/var/lib/sockwake/shop/18/docker", "18")
    before = sockwake(seen, "check")
    assert before.status == 0, before
    with closed(seen.path / "var/lib/sockwake/shop"), closed(seen.path / "var/lib/sockwake/images"):
        ran = sockwake(seen, "check")
    assert (ran.status, ran.stderr) == (FAILED, before.stderr), ran
    lines = ran.stdout.splitlines()
    assert len(lines) == 3 and " not in " not in ran.stdout, ran
    for line, check in zip(lines, ("image", "data", "secret")):
        assert line.startswith(f"the check '{check}' could not be made: cannot use "), ran
        assert line.endswith(": permission denied: run this as root"), ran


def test_an_engine_that_may_not_be_asked_is_not_called_dead(seen: Tree) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path := f"{seen}/run/docker.sock")
        os.chmod(path, 0o000 if os.getuid() else 0o700)
        server.listen()
        with as_user(), pytest.raises(EngineError, match="permission denied") as failed:
            Engine(path).call("GET", "/_ping")
    assert failed.value.hint == "run this as root" and failed.value.is_denied
