"""Only --purge deletes data: an instance's own and its containers', never another instance's."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from instances import KnowService, Make
from moment import until
from program import must, run
from service import Service
from web import get

EXISTS = 3  # exit status of sockwake-new
CONTAINER = ("--kind", "container", "--image", "nginx:local", "--container-port", "80")
# the page is written through a directory beside the compose file
RELATIVE_BIND = (
    'services: {web: {image: nginx:local, ports: ["8080:80"], volumes: ["./data:/var/www/html"]}}\n'
)


def page_through_its_bind(known_service: KnowService, folder: Path) -> tuple[Service, Path]:
    """The instance that the file makes, and a page written through it."""
    (folder / "compose.yaml").write_text(RELATIVE_BIND)
    shop = known_service("shop")
    compose = ("--kind", "container", "--compose", f"{folder}/compose.yaml", "--ready", "tcp")
    must("sockwake-new", "shop", *compose, "--idle", "1s", "--enable")
    page = shop.etc / "data/page"
    source = "--format={{range .Mounts}}{{.Source}}{{end}}"
    assert must("docker", "inspect", source, shop.container).strip() == f"{shop.etc}/data"
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


def test_a_cluster_survives_whatever_is_purged_of_other_instances(
    instance: Make, nginx: str
) -> None:
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
