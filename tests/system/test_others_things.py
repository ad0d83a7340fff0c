"""Containers, networks and volumes of others that have an instance's names are never touched."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from instances import Make, MakeService
from moment import until
from program import must, run
from refusal import ASLEEP_OR_FAILED
from web import get
from webshop import container

pytestmark = pytest.mark.engine  # what it does to a container, it does to an engine's

EXISTS = 3  # exit status of sockwake-new
CONTAINER = (
    *("--kind", "container", "--image", "nginx:local", "--container-port", "80"),
    *("--runtime", "engine"),
)


@pytest.fixture
def others_container(nginx: str) -> Iterator[str]:
    """A running container with the name of instance pg9's, and a page in a volume."""
    must("docker", "run", "--detach", "--name", "sockwake-pg9", "--volume", "/data", nginx)
    must("docker", "exec", "sockwake-pg9", "sh", "-c", "echo precious >/data/page")
    yield "sockwake-pg9"
    must("docker", "rm", "--force", "--volumes", "sockwake-pg9")


def has_its_page(container: str) -> bool:
    return must("docker", "exec", container, "cat", "/data/page") == "precious\n"


@pytest.mark.makes
@pytest.mark.parametrize(
    "options",
    [("--version", "18", "--runtime", "engine"), CONTAINER],
    ids=["postgres", "container"],
)
def test_a_container_of_the_name_is_an_error_and_runs_on(
    image: str, others_container: str, options: tuple[str, ...]
) -> None:
    for _ in range(2):
        ran = run("sockwake-new", "pg9", *options)
        ran.expect(
            EXISTS,
            "there is a container sockwake-pg9 that is not of instance 'pg9'",
            "docker container rm sockwake-pg9",
        )
    assert has_its_page(others_container)
    assert not any(
        os.path.exists(f"{place}/pg9")
        for place in ("/etc/sockwake", "/var/lib/sockwake", "/run/sockwake")
    )


@pytest.mark.fault
def test_a_container_made_while_it_slept_is_stopped_by_neither_a_wake_nor_rm(
    instance: Make, nginx: str
) -> None:
    database = instance(name="pg9")
    database.asleep()
    must("docker", "rm", "sockwake-pg9")
    must("docker", "run", "--detach", "--name", "sockwake-pg9", "--volume", "/data", nginx)
    try:
        must("docker", "exec", "sockwake-pg9", "sh", "-c", "echo precious >/data/page")
        assert "there is a container sockwake-pg9 that is not of instance 'pg9'" in database.fatal()
        until("its start has failed", lambda: not database.is_awake())
        assert has_its_page("sockwake-pg9")
        must("systemctl", "stop", database.socket, database.proxy, database.backend)
        must("sockwake", "rm", "pg9", "--purge")
        assert has_its_page("sockwake-pg9")
    finally:
        must("docker", "rm", "--force", "--volumes", "sockwake-pg9")


def test_a_compose_project_of_the_name_keeps_all_it_has(nginx: str, tmp_path: Path) -> None:
    """Compose would take its container for one of the project, and make it anew."""
    theirs = tmp_path / "theirs.yaml"
    web = {"image": nginx, "volumes": ["pages:/data"]}
    theirs.write_text(json.dumps({"services": {"web": web}, "volumes": {"pages": {}}}))
    project = ("docker-compose", "--project-name", "sockwake-shop", "--file", str(theirs))
    try:
        must(*project, "up", "--detach")
        container = must(*project, "ps", "--quiet").strip()
        must("docker", "exec", container, "sh", "-c", "echo precious >/data/page")
        new = ("sockwake-new", "shop", *CONTAINER)
        run(*new).expect(
            EXISTS, "there is a container sockwake-shop-web-1 that is not of instance 'shop'"
        )
        assert has_its_page(container)
        must(*project, "down")
        run(*new).expect(
            EXISTS,
            "there is a volume sockwake-shop_pages that is not of instance 'shop'",
            "external: true",
        )
        grep = (nginx, "grep", "precious", "/data/page")
        must("docker", "run", "--rm", "--volume", "sockwake-shop_pages:/data", *grep)
    finally:
        must(*project, "down", "--volumes")


@pytest.mark.parametrize("what", ["network", "volume"])
def test_a_network_or_volume_of_the_name_is_an_error_and_stays(
    service: MakeService, nginx: str, what: str
) -> None:
    name = "sockwake-svc1_default" if what == "network" else "precious"
    must("docker", what, "create", name)
    try:
        shop = container(service, nginx, "--no-provision", enable=False)
        file = shop.etc / "compose.yaml"
        text = re.sub(r"    network_mode: .*\n", "", file.read_text()).rstrip()
        more = "    volumes: [pages:/d]\nvolumes: {pages: {name: precious}}\n"
        file.write_text(f"{text}\n{more}")
        must("systemctl", "enable", "--now", shop.socket)
        answer = get(shop.port)
        assert (answer.status, f"there is a {what} {name} that is not of" in answer.text) == (
            503,
            True,
        )
        shop.asleep(backend=ASLEEP_OR_FAILED)
        assert name in must("docker", what, "ls", "--format={{.Name}}").split()
        assert must("docker", "ps", "--all", "--quiet") == ""
    finally:
        must("docker", what, "rm", name)
