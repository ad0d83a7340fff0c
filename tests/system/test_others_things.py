"""What is an administrator's own is deleted by nothing, whatever its name and wherever it lies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import Know, KnowService, Make, MakeService
from moment import until
from program import must, run
from service import Service
from web import get

EXISTS, INTERRUPTED = 3, 130
CONTAINER = ("--kind", "container", "--image", "nginx:local", "--container-port", "80")
# /work of a person, as it was brought: the page is written through a directory beside the compose file
RELATIVE_BIND = (
    'services: {web: {image: nginx:local, ports: ["8080:80"], volumes: ["./data:/var/www/html"]}}\n'
)


@pytest.fixture
def container(nginx: str) -> Iterator[str]:
    """A running container of the name that instance pg9 would have, with a page in a volume of its own."""
    must("docker", "run", "--detach", "--name", "sockwake-pg9", "--volume", "/data", nginx)
    must("docker", "exec", "sockwake-pg9", "sh", "-c", "echo precious >/data/page")
    yield "sockwake-pg9"
    must("docker", "rm", "--force", "--volumes", "sockwake-pg9")


def has_its_page(container: str) -> bool:
    return must("docker", "exec", container, "cat", "/data/page") == "precious\n"


@pytest.mark.makes
@pytest.mark.parametrize("options", [("--version", "18"), CONTAINER], ids=["postgres", "container"])
def test_a_container_of_the_name_is_an_error_and_runs_on(
    image: str, container: str, options: tuple[str, ...]
) -> None:
    for _ in range(2):
        ran = run("sockwake-new", "pg9", *options)
        ran.expect(
            EXISTS,
            "there is a container sockwake-pg9 that is not of instance 'pg9'",
            "docker container rm sockwake-pg9",
        )
    assert has_its_page(container)
    assert not any(
        os.path.exists(f"{place}/pg9")
        for place in ("/etc/sockwake", "/var/lib/sockwake", "/run/sockwake")
    )


@pytest.mark.fault
def test_one_that_came_while_it_slept_is_not_stopped_by_a_wake_nor_by_rm(
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
    """Its label is compose's own, and compose would make its container anew as that of its own project."""
    theirs, ours = tmp_path / "theirs.yaml", tmp_path / "ours.yaml"
    theirs.write_text(
        json.dumps(
            {
                "services": {"web": {"image": nginx, "volumes": ["pages:/data"]}},
                "volumes": {"pages": {}},
            }
        )
    )
    ours.write_text(
        json.dumps(
            {
                "services": {
                    "web": {"image": nginx, "ports": ["25480:80"], "volumes": ["pages:/d"]}
                },
                "volumes": {"pages": {}},
            }
        )
    )
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
        must(
            "docker",
            "run",
            "--rm",
            "--volume",
            "sockwake-shop_pages:/data",
            nginx,
            "grep",
            "precious",
            "/data/page",
        )
    finally:
        must(*project, "down", "--volumes")


@pytest.mark.parametrize("what", ["network", "volume"])
def test_a_network_or_volume_of_the_name_is_an_error_and_stays(
    nginx: str, tmp_path: Path, what: str
) -> None:
    ours, name = (
        tmp_path / "ours.yaml",
        "sockwake-shop_default" if what == "network" else "precious",
    )
    volumes = {"pages": {"name": "precious"}}
    ours.write_text(
        json.dumps(
            {
                "services": {
                    "web": {"image": nginx, "ports": ["25480:80"], "volumes": ["pages:/d"]}
                },
                "volumes": volumes,
            }
        )
    )
    must("docker", what, "create", name)
    try:
        run("sockwake-new", "shop", "--kind", "container", "--compose", str(ours)).expect(
            EXISTS, f"there is a {what} {name} that is not of"
        )
        assert name in must("docker", what, "ls", "--format={{.Name}}").split()
        assert must("docker", "ps", "--all", "--quiet") == "" and not Path("/etc/sockwake").exists()
    finally:
        must("docker", what, "rm", name)


def test_all_that_is_made_has_the_label_and_goes_with_it(
    service: MakeService, nginx: str, tmp_path: Path
) -> None:
    (tmp_path / "compose.yaml").write_text(
        json.dumps(
            {
                "services": {
                    "web": {"image": nginx, "ports": ["25480:80"], "volumes": ["pages:/d"]}
                },
                "volumes": {"pages": {}},
            }
        )
    )
    service("container", "--compose", f"{tmp_path}/compose.yaml")
    for what in ("network", "volume", "container"):
        listed = must(
            "docker",
            what,
            "ls",
            *(["--all"] if what == "container" else []),
            "--quiet",
            "--filter=label=io.sockwake.instance=svc1",
        )
        assert len(listed.split()) == 1, what
    must("sockwake", "rm", "svc1", "--purge")


def page_through_its_bind(known_service: KnowService, folder: Path) -> tuple[Service, Path]:
    """The instance that the file makes, and a page written through it."""
    (folder / "compose.yaml").write_text(RELATIVE_BIND)
    shop = known_service("shop")
    must(
        "sockwake-new",
        "shop",
        "--kind",
        "container",
        "--compose",
        f"{folder}/compose.yaml",
        "--ready",
        "tcp",
        "--idle",
        "1s",
        "--enable",
    )
    page = shop.etc / "data/page"
    assert (
        must(
            "docker", "inspect", "--format={{range .Mounts}}{{.Source}}{{end}}", shop.container
        ).strip()
        == f"{shop.etc}/data"
    )
    page.write_text("precious")
    assert get(8080, "/page").text == "precious"
    shop.asleep()
    return shop, page


def test_what_is_written_through_a_relative_bind_outlives_all_but_purge(
    known_service: KnowService, nginx: str, tmp_path: Path
) -> None:
    shop, page = page_through_its_bind(known_service, tmp_path)
    assert [row["name"] for row in json.loads(must("sockwake", "ls", "--json"))] == ["shop"]
    run("sockwake", "rm", "shop").expect(0, f"left data in {shop.etc}")
    assert page.read_text() == "precious" and must("sockwake", "ls").startswith(
        "There are no instances."
    )
    run("sockwake", "rm", "shop").expect(
        5, "there is no instance 'shop'", f"{shop.etc} has only what is not sockwake's: data"
    )
    again, _ = page_through_its_bind(known_service, tmp_path)
    run("sockwake-new", "shop", "--version", "18").expect(EXISTS, "instance 'shop' exists already")
    (again.etc / "notes").write_text("precious")
    run("sockwake", "rm", "shop", "--purge").expect(0, f"deleted data, notes in {shop.etc}")
    assert not again.etc.exists()


@pytest.mark.fault
def test_killed_while_it_is_made_it_leaves_what_its_container_has_written(
    known_service: KnowService, nginx: str, tmp_path: Path
) -> None:
    shop = known_service("shop")
    text = RELATIVE_BIND.replace(
        "image: nginx:local",
        "image: nginx:local, command: [sh, -c, 'echo precious >/var/www/html/page; sleep 60']",
    )
    (tmp_path / "compose.yaml").write_text(text)
    maker = subprocess.Popen(
        ["sockwake-new", "shop", "--kind", "container", "--compose", f"{tmp_path}/compose.yaml"],
        stderr=subprocess.DEVNULL,
    )
    until("its container has written", (shop.etc / "data/page").exists)
    maker.kill()
    maker.wait(60)
    assert [row["state"] for row in json.loads(must("sockwake", "ls", "--json"))] == ["unfinished"]
    must("sockwake", "rm", "shop")
    assert (
        run("docker", "inspect", shop.container).status
        and not Path("/etc/sockwake/.new-shop").exists()
    )
    assert (shop.etc / "data/page").read_text() == "precious\n"
    _again, _ = page_through_its_bind(known_service, tmp_path)
    must("sockwake", "rm", "shop", "--purge")


def test_a_neighbours_cluster_survives_whatever_is_purged(instance: Make, nginx: str) -> None:
    database = instance(name="a")
    database.psql("create table kept as select 1 as n")
    database.asleep()
    for data in ("/var/lib/sockwake", "/var/lib/sockwake/a", "/var/lib/sockwake/a/18", "/var/lib"):
        ran = run("sockwake-new", "w", *CONTAINER, "--mount", "/data", "--data", data)
        assert ran.status in (2, EXISTS) and "data directory" in ran.err, ran
    must("sockwake-new", "w", *CONTAINER, "--mount", "/data", "--no-provision")
    Service("w").set("DATA", "/var/lib/sockwake/a/18")
    run("sockwake", "rm", "w", "--purge").expect(
        EXISTS, "is inside /var/lib/sockwake/a, which belongs to instance 'a'"
    )
    must("sockwake", "rm", "w")
    assert database.psql("select n from kept") == "1"


@pytest.mark.makes
def test_a_lost_terminal_leaves_nothing(known: Know) -> None:
    """As when an ssh session is cut: the kernel and the shell tell all that ran there."""
    known("pg1")
    maker = subprocess.Popen(
        ["script", "--quiet", "--command", "sockwake-new pg1 --version 18", "/dev/null"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    until(
        "initdb has begun", Path("/var/lib/sockwake/pg1/.initialising/18/docker/PG_VERSION").exists
    )
    maker.send_signal(signal.SIGKILL)
    maker.wait(60)
    until(
        "nothing is left",
        lambda: not Path("/etc/sockwake").exists() and not Path("/var/lib/sockwake/pg1").exists(),
    )
    assert run("docker", "inspect", "sockwake-pg1_init").status != 0


def test_rm_of_a_slow_one_holds_up_no_other(
    service: MakeService, nginx: str, tmp_path: Path
) -> None:
    slow = {
        "image": nginx,
        "ports": ["25480:80"],
        "stop_grace_period": "20s",
        "stop_signal": "SIGWINCH",
    }
    (tmp_path / "compose.yaml").write_text(json.dumps({"services": {"web": slow}}))
    shop = service(
        "container", "--compose", f"{tmp_path}/compose.yaml", "--ready", "tcp", "--idle", "10min"
    )
    get(25480)
    must("systemctl", "stop", shop.proxy)
    remover = subprocess.Popen(["sockwake", "rm", "svc1"], stdout=subprocess.DEVNULL)
    time.sleep(1)
    began = time.monotonic()
    other = service(
        "container",
        "--image",
        nginx,
        "--container-port",
        "80",
        "--no-provision",
        name="svc2",
        enable=False,
    )
    must("sockwake", "rm", other.name)
    took, was_stopping = time.monotonic() - began, remover.poll() is None
    assert remover.wait(60) == 0
    assert was_stopping and took < 10
