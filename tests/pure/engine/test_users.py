"""The user of a container, and an engine with users of its own."""

import io
import json
import tarfile

import pytest

from daemon import Daemon
from sockwake.engine import users
from sockwake.engine.api import Engine
from sockwake.errors import SockwakeError

PASSWD = "root:x:0:0::/root:/bin/sh\npostgres:x:70:70::/:/bin/sh\nbroken\n"


def engine_with(daemon: Daemon, user: str) -> Engine:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as archive:
        entry = tarfile.TarInfo("passwd")
        entry.size = len(PASSWD)
        archive.addfile(entry, io.BytesIO(PASSWD.encode()))
    daemon.answers |= {
        "GET /containers/c/json": (200, json.dumps({"Config": {"User": user}}).encode()),
        "GET /containers/c/archive": (200, whole.getvalue()),
    }
    return Engine(str(daemon.server_address))


@pytest.mark.parametrize(
    ("user", "uid"),
    [("", 0), ("0:0", 0), ("root", 0), ("999", 999), ("26:26", 26), ("postgres:users", 70)],
)
def test_a_number_counts_as_it_is_and_a_name_in_the_image(
    daemon: Daemon, user: str, uid: int
) -> None:
    assert users.uid_of(engine_with(daemon, user), "c") == uid


def test_a_user_that_the_image_does_not_know_is_an_error(daemon: Daemon) -> None:
    with pytest.raises(SockwakeError, match="its image has no user 'me'"):
        users.uid_of(engine_with(daemon, "me"), "c")


def test_an_engine_that_maps_users_is_refused_unless_the_file_asks_for_the_hosts(
    daemon: Daemon,
) -> None:
    daemon.answers["GET /info"] = 200, b'{"SecurityOptions": ["name=seccomp", "name=userns"]}'
    engine = Engine(str(daemon.server_address))
    users.require_unmapped(engine, {"userns_mode": "host"})
    with pytest.raises(SockwakeError, match="the engine maps users"):
        users.require_unmapped(engine, {})
    daemon.answers["GET /info"] = 200, b'{"SecurityOptions": null}'
    users.require_unmapped(engine, {})
