"""A PostgreSQL of an ordinary user's, run by crun from the system's image."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import bundle
from account import NAME, Account
from bundle import Bundle
from moment import until
from program import run

POSTGRES = (999, 999)  # in the image


@pytest.fixture
def user(image: str) -> Iterator[Account]:
    bundle.require_crun()
    if run("getent", "passwd", NAME).status:
        pytest.skip(f"there is no user '{NAME}'")
    one = Account()
    one.linger()
    yield one
    one.stop_lingering()


@pytest.fixture
def folder(user: Account) -> Iterator[Path]:
    """A folder of the user's, with one for the data, one for the socket and one for bundles."""
    one = user.home / "own-container-of-the-tests"
    user.must("mkdir", str(one), *(str(one / each) for each in ("data", "socket", "bundles")))
    yield one
    shutil.rmtree(one)


def test_a_user_s_cluster_is_made_and_served_in_a_user_namespace(
    image: str, user: Account, folder: Path
) -> None:
    service = {
        "command": ["postgres", "-c", "listen_addresses="],
        "entrypoint": None,
        "image": image,
        "network_mode": "none",
        "stop_signal": "SIGINT",
        "volumes": [
            {"type": "bind", "source": str(folder / "data"), "target": "/var/lib/postgresql"},
            {"type": "bind", "source": str(folder / "socket"), "target": "/var/run/postgresql"},
        ],
    }
    ids = (user.uid, folder.stat().st_gid)
    with bundle.unpacked(image) as unpacked:
        maker = bundle.translate(
            *(folder / "bundles", "cluster-of-a-user", unpacked, service, "initialising", (), ids),
            environment={"POSTGRES_PASSWORD": "secret", "POSTGRES_USER": "app"},
        )
        with _running(user, maker, folder / "socket"):
            _ask(user, folder, "CREATE TABLE t AS SELECT 42 AS n")
        server = bundle.translate(
            *(folder / "bundles", "server-of-a-user", unpacked, service, "everyday", (), ids),
            owner=POSTGRES,
        )
        with _running(user, server, folder / "socket"):
            assert _ask(user, folder, "SELECT n FROM t") == "42"
            (owner,) = {each.stat().st_uid for each in (folder / "socket").glob(".s.*")}
    assert owner == _subordinate(user) + POSTGRES[0] - 1


@contextmanager
def _running(user: Account, server: Bundle, socket: Path) -> Iterator[None]:
    """A server while it runs, as a unit of the user's."""
    server.limits.clear()
    name = server.path.name
    settings = ("KillMode=mixed", "KillSignal=SIGINT")
    root = f"{user.runtime}/crun-of-the-tests"
    user.must(*server.command(unit=name, settings=settings, root=root))
    try:
        # the entrypoint's own server, which comes first, is not process 1
        until(
            "the server is ready",
            lambda: "ready" in user.run("sh", "-c", _IS_READY % (root, name)).out,
        )
        yield
    finally:
        user.must("systemctl", "--user", "stop", name)
        until("its socket is gone", lambda: not (socket / ".s.PGSQL.5432").exists())


_IS_READY = (
    "crun --root %s exec %s sh -c 'grep -qx postgres /proc/1/comm && pg_isready && echo ready'"
)


def _ask(user: Account, folder: Path, question: str) -> str:
    """What the user's server answers on its unix socket."""
    where = ("-h", str(folder / "socket"), "-U", "app", "-d", "app")
    return user.must("psql", *where, "-Atqc", question).strip()


def _subordinate(user: Account) -> int:
    """The first of the user's subordinate ids."""
    lines = Path("/etc/subuid").read_text().splitlines()
    (first,) = [int(line.split(":")[1]) for line in lines if line.startswith(f"{user.name}:")]
    return first
