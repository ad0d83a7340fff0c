"""Backends of which systemd can run nothing, or that it does not start: clients are told.

Not even what cleans up is run then (ExecStopPost=), by a unit of its own or an administrator's
drop-in that names what is not there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from client import Lost
from host_postgres import version_for
from instances import Make, MakeService
from moment import until
from program import must, run
from redis_server import ask, served, server
from refusal import ASLEEP_OR_FAILED
from service import Service
from soak import only_in_soak
from web import get

pytestmark = pytest.mark.fault

Spoil = Callable[[Service, str], None]
NO_FILE = "[Service]\nEnvironmentFile=/nonexistent\n"
NO_DIRECTORY = "[Service]\nWorkingDirectory=/nonexistent\n"
NO_GROUP = "[Service]\nSupplementaryGroups=nonexistent\n"
NO_CONDITION = "[Unit]\nConditionPathExists=/nonexistent\n"
NO_NEIGHBOUR = "[Unit]\nRequires=fails.service\nAfter=fails.service\n"


@pytest.fixture
def spoil() -> Iterator[Spoil]:
    """Gives the backend of an instance a drop-in; without text it is taken away."""
    places = []
    neighbour = Path("/run/systemd/system/fails.service")
    neighbour.write_text("[Service]\nType=oneshot\nExecStart=/bin/false\n")

    def write(service: Service, text: str) -> None:
        place = Path(f"/run/systemd/system/{service.backend}.d/spoilt.conf")
        places.append(place)
        place.parent.mkdir(exist_ok=True)
        place.write_text(text)
        must("systemctl", "daemon-reload")

    yield write
    for place in [neighbour, *places]:
        place.unlink(missing_ok=True)
    run("systemctl", "daemon-reload")
    run("systemctl", "reset-failed", "fails.service")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (NO_FILE, "its program cannot be run: Failed to load environment files: No such file"),
        (NO_NEIGHBOUR, "systemd has not started its service: what it requires has failed"),
        pytest.param(
            NO_GROUP,
            "its program cannot be run: Failed to determine supplementary groups",
            marks=pytest.mark.soak,
        ),
        pytest.param(
            NO_CONDITION,
            "systemd has not started its service: a condition of it is not met",
            marks=pytest.mark.soak,
        ),
    ],
)
def test_a_command(service: MakeService, redis: str, spoil: Spoil, text: str, why: str) -> None:
    cache = server(service, redis)
    served(cache)
    spoil(cache, text)
    for _ in range(2):
        with pytest.raises(Lost):
            ask(cache, "ping")
        until("its failure is listed", lambda: why in str(cache.ls().get("error", "")))
    cache.asleep(backend=ASLEEP_OR_FAILED)
    spoil(cache, "")
    served(cache)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (NO_DIRECTORY, "Changing to the requested working directory failed: No such file"),
        pytest.param(
            NO_FILE,
            "Failed to load environment files: No such file or directory",
            marks=pytest.mark.soak,
        ),
    ],
)
def test_a_program_with_systemd_s_socket(
    service: MakeService, program: str, spoil: Spoil, text: str, why: str
) -> None:
    """It has no proxy, and systemd starts it again for the client, ten times a second."""
    web = service("native", "--exec", program)
    assert get(web.port).status == 200
    web.asleep()
    spoil(web, text)
    for _ in range(2):
        answer = get(web.port)
        assert answer.status == 503 and "cannot start: its program cannot be run" in answer.text
        until("its failure is listed", lambda: why in str(web.ls().get("error", "")))
    web.asleep(backend=ASLEEP_OR_FAILED)
    spoil(web, "")
    assert get(web.port).status == 200
    web.asleep()
    assert "error" not in web.ls()


@pytest.mark.parametrize("runtime", ["crun", *only_in_soak("engine", "host")])
def test_a_postgresql(instance: Make, spoil: Spoil, runtime: str) -> None:
    database = instance("--runtime", runtime, version=version_for(runtime))
    assert database.psql() == "1"
    database.asleep()
    spoil(database, NO_FILE)
    what = "server" if runtime == "host" else "service that starts it"
    why = f"{what} cannot be run"
    for _ in range(2):
        assert why in database.try_psql("select 1").err
        error = f"{why}: Failed to load environment files: No such file or directory"
        until("its failure is listed", lambda: error in str(database.ls().get("error", "")))
    database.asleep(backend=ASLEEP_OR_FAILED)
    spoil(database, "")
    assert database.psql() == "1"
    database.asleep()
