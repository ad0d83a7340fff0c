"""An engine that puts an init of its own into every container does not get between."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import docker_engine
from database import IMAGE
from instances import Make
from program import must, run
from soak import only_in_soak

pytestmark = pytest.mark.engine  # what it does to a container, it does to an engine's

PODMAN = Path("/etc/containers/containers.conf.d/init-of-the-tests.conf")


@pytest.fixture
def docker_with_init(image: str) -> Iterator[None]:
    """Docker whose own default is an init."""
    settings = docker_engine.SETTINGS
    assert not settings.exists() or "init" not in settings.read_text()
    with docker_engine.running_with({"init": True}):
        yield


@pytest.fixture
def podman_with_init(image: str, tmp_path: Path) -> Iterator[None]:
    """Root's podman with the image, and an init as its own default."""
    if run("sh", "-c", "command -v podman").status:
        pytest.skip("podman is not installed")
    archive = tmp_path / "image.tar"
    must("docker", "save", "--output", str(archive), IMAGE, timeout=300)
    must("podman", "load", "--quiet", "--input", str(archive), timeout=300)
    PODMAN.write_text("[containers]\ninit = true\n")
    must("systemctl", "restart", "podman.socket")
    yield
    PODMAN.unlink()
    run("systemctl", "stop", "podman.socket", "podman.service")
    run("podman", "rmi", "--all", "--force", timeout=120)


@pytest.mark.makes
@pytest.mark.parametrize("engine", ["docker", *only_in_soak("podman")])
def test_a_postgresql_is_process_1_where_the_engines_default_is_an_init(
    instance: Make, request: pytest.FixtureRequest, engine: str
) -> None:
    request.getfixturevalue(f"{engine}_with_init")
    database = instance("--engine", engine)
    assert database.psql() == "1"
    shown = must(engine, "inspect", "--format={{.HostConfig.Init}}", database.container)
    assert shown.strip() == "false"
    database.asleep()
    assert "received fast shutdown request" in database.journal()
    must("sockwake", "rm", "pg1", "--purge")


def test_a_file_that_asks_for_an_init_itself_is_told_so_at_once(instance: Make) -> None:
    database = instance()
    database.psql()
    database.asleep()
    database.edit_compose('    restart: "no"\n', '    restart: "no"\n    init: true\n')
    assert "the server has to be the container's process 1" in database.fatal()
    database.edit_compose("    init: true\n", "")
    assert database.psql() == "1"
