"""Containers, networks and volumes of others that have an instance's names are never touched."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from instances import Make, MakeService
from moment import until
from program import must, run

EXISTS = 3  # exit status of sockwake-new
CONTAINER = ("--kind", "container", "--image", "nginx:local", "--container-port", "80")


@pytest.fixture
def others_container(nginx: str) -> Iterator[str]:
    """A running container with the name of instance pg9's, and a page in a volume."""
    must("docker", "run", "--detach", "--name", "sockwake-pg9", "--volume", "/data", nginx)
    must("docker", "exec", "sockwake-pg9", "sh", "-c", "echo precious >/data/page")
    yield "sockwake-pg9"
    must("docker", "rm", "--force", "--volumes", "sockwake-pg9")


def has_its_page(container: str) -> bool:
    return must("docker", "exec", container, "cat", "/data/page") == "precious\n"


def with_a_volume(nginx: str, **volume: str) -> str:
    """A compose file of a web server with a volume."""
    web = {"image": nginx, "ports": ["25480:80"], "volumes": ["pages:/d"]}
    return json.dumps({"services": {"web": web}, "volumes": {"pages": volume}})


@pytest.mark.makes
@pytest.mark.parametrize("options", [("--version", "18"), CONTAINER], ids=["postgres", "container"])
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
    theirs, ours = tmp_path / "theirs.yaml", tmp_path / "ours.yaml"
    web = {"image": nginx, "volumes": ["pages:/data"]}
    theirs.write_text(json.dumps({"services": {"web": web}, "volumes": {"pages": {}}}))
    ours.write_text(with_a_volume(nginx))
    project = ("docker-compose", "--project-name", "sockwake-shop", "--file", str(theirs))
    try:
        must(*project, "up", "--detach")
        container = must(*project, "ps", "--quiet").strip()
        must("docker", "exec", container, "sh", "-c", "echo precious >/data/page")
        new = ("sockwake-new", "shop", "--kind", "container", "--compose", str(ours))
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
    nginx: str, tmp_path: Path, what: str
) -> None:
    ours = tmp_path / "ours.yaml"
    name = "sockwake-shop_default" if what == "network" else "precious"
    ours.write_text(with_a_volume(nginx, name="precious"))
    must("docker", what, "create", name)
    try:
        run("sockwake-new", "shop", "--kind", "container", "--compose", str(ours)).expect(
            EXISTS, f"there is a {what} {name} that is not of"
        )
        assert name in must("docker", what, "ls", "--format={{.Name}}").split()
        assert must("docker", "ps", "--all", "--quiet") == "" and not Path("/etc/sockwake").exists()
    finally:
        must("docker", what, "rm", name)


def test_all_that_is_made_has_the_label_and_is_removed_with_it(
    service: MakeService, nginx: str, tmp_path: Path
) -> None:
    (tmp_path / "compose.yaml").write_text(with_a_volume(nginx))
    service("container", "--compose", f"{tmp_path}/compose.yaml")
    for what in ("network", "volume", "container"):
        every = ["--all"] if what == "container" else []
        label = "--filter=label=io.sockwake.instance=svc1"
        listed = must("docker", what, "ls", *every, "--quiet", label)
        assert len(listed.split()) == 1, what
    must("sockwake", "rm", "svc1", "--purge")
