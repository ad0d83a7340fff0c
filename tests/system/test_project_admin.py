"""What an administrator does with a compose project that sleeps: status, compose, rm, a move."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import project as projects
from client import Lost
from moment import until
from program import must, run
from project import MakeProject
from refusal import ASLEEP_OR_FAILED
from soak import only_in_soak
from web import get

EXISTS, USAGE = 3, 2  # exit statuses
LABEL = "--filter=label=io.sockwake.instance=shop"


def volumes() -> set[str]:
    return set(must("docker", "volume", "ls", "--quiet").split())


def edit(source: str, old: str, new: str) -> None:
    """Lay out a project whose compose file differs."""
    file = projects.lay_out(source) / "compose.yaml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


def test_rm_leaves_the_project_as_it_was_with_its_anonymous_volumes(project: MakeProject) -> None:
    edit("wide", "ports:", "volumes: [/var/www/html], ports:")
    shop = project("wide")
    get(shop.port)
    (name,) = shop.containers()
    must("docker", "exec", name, "sh", "-c", "echo kept >/var/www/html/page.html")
    shop.asleep()
    before = volumes()
    must("sockwake", "rm", "shop")
    assert volumes() == before and must("docker", "ps", "--all", "--quiet", LABEL) == ""
    shop.compose("up", "--detach", "--wait")
    port = shop_port(shop.compose("port", "web", "80"))
    until("its server listens", lambda: text_at(port, "/page.html") == "kept\n")
    shop.compose("down")
    must("docker", "volume", "rm", *before)


def text_at(port: int, path: str) -> str:
    try:
        return get(port, path).text
    except Lost:
        return ""


def shop_port(said: str) -> int:
    return int(said.strip().rpartition(":")[2])


def test_rm_removes_the_containers_and_networks_that_were_made_for_it(project: MakeProject) -> None:
    shop = project("two-services")
    get(shop.port)
    shop.asleep()
    must("sockwake", "rm", "shop")
    assert shop.containers() == []
    assert must("docker", "network", "ls", "--quiet", LABEL) == ""
    shop.compose("up", "--detach")
    assert len(shop.containers(all_of_them=False)) == 2


def earlier() -> list[bool]:
    """Of each backup whether it is of an earlier instance."""
    listed = json.loads(must("sockwake", "backups", "ls", "shop", "--json"))
    return [each["earlier"] for each in listed]


@pytest.mark.parametrize("was_there", [*only_in_soak(False), True])
def test_purge_deletes_the_volumes_made_for_it_and_no_others(
    project: MakeProject, was_there: bool
) -> None:
    directory = projects.lay_out("named-volume")
    if was_there:
        must("docker-compose", "--project-directory", str(directory), "create")
    shop = project("named-volume")
    get(shop.port)
    shop.asleep()
    (volume,) = volumes()
    must("sockwake", "backup", "shop")
    (backup,) = Path("/var/backups/sockwake/shop").glob("*.files")
    assert [path.name for path in (backup / "volumes").iterdir()] == [volume]
    must("docker-compose", "--project-directory", str(directory), "rm", "--force")
    gone = run("sockwake", "backup", "shop").expect(1).err
    assert "there are no containers of 'shop', which tell what volumes it has" in gone
    must("sockwake", "rm", "shop")
    projects.new("shop", directory).expect(0)
    assert earlier() == [False], "its volume is the one that was backed up"
    ran = run("sockwake", "rm", "shop", "--purge").expect(0)
    assert earlier() == [not was_there]
    shutil.rmtree("/var/backups/sockwake/shop")
    assert (volumes() == set(), f"deletes the volumes {volume}" in ran.err) == (
        not was_there,
        not was_there,
    )
    assert (directory / "compose.yaml").exists()


def test_after_a_move_clients_read_where_it_was_and_rm_works(project: MakeProject) -> None:
    shop = project("dotenv")
    moved = shop.directory.with_name("moved")
    shop.directory.rename(moved)
    assert f"there is no compose project at {shop.directory}" in get(shop.port).text
    shop.asleep(backend=ASLEEP_OR_FAILED)
    assert f"there is no compose project at {shop.directory}" in str(shop.ls()["error"])
    must("sockwake", "rm", "shop")
    moved.rename(shop.directory)


def test_one_project_is_one_instance_and_a_name_is_one_directory_s(project: MakeProject) -> None:
    shop = project("wide")
    projects.new("other", shop.directory).expect(EXISTS, "instance 'shop' has the compose project")
    twin = projects.FOLDER / "deeper/wide"
    shutil.copytree(shop.directory, twin)
    projects.new("other", twin).expect(EXISTS, f"already, in {shop.directory}")
    must("sockwake", "rm", "shop")
    shop.compose("create")
    projects.new("other", twin).expect(1, "there is another compose project 'wide', of")
    assert len(shop.containers()) == 1


def test_compose_runs_in_its_directory_with_its_profiles(project: MakeProject) -> None:
    shop = project("profiles", "--profile", "full")
    assert must("sockwake", "compose", "shop", "config", "--services", cwd="/") == "web\n"
    get(shop.port)
    assert "profiles-web-1" in must("sockwake", "compose", "shop", "ps", cwd="/")
    shop.asleep()


def test_doctor_finds_that_it_has_gone(project: MakeProject) -> None:
    shop = project("wide")
    away = shop.directory.with_name("away")
    shop.directory.rename(away)
    try:
        run("sockwake", "doctor", "shop").expect(1, f"no compose project at {shop.directory}")
        away.joinpath("compose.yaml").rename(away / "other.yaml")
        away.rename(shop.directory)
        run("sockwake", "doctor", "shop").expect(1, f"no compose file in {shop.directory}")
        (shop.directory / "other.yaml").rename(shop.directory / "compose.yaml")
    finally:
        if away.exists():
            away.rename(shop.directory)
    assert must("sockwake", "doctor", "shop") == "Nothing is wrong with 1 instance.\n"


def test_status_and_ls_show_it(project: MakeProject) -> None:
    shop = project("two-services")
    facts = json.loads(must("sockwake", "status", "shop", "--json"))
    assert facts["project"] == str(shop.directory)
    assert facts["services"].keys() == {"web", "db"}
    assert not {"running"} & set(facts["services"].values())
    get(shop.port)
    said = must("sockwake", "status", "shop")
    assert "db (running), web (running)" in said and str(shop.directory) in said
    assert len(json.loads(must("sockwake", "ls", "--json"))) == 1
    shop.asleep()


def test_what_is_to_be_built_or_external_has_to_be_here(project: MakeProject, nginx: str) -> None:
    edit("wide", "image: nginx:local", "build: .")
    project("wide", status=1).made.expect(1, "is to be built, and image wide-web is not", "build")
    must("docker", "tag", nginx, "wide-web")
    try:
        shop = project("wide")
        assert get(shop.port).status == 200
        shop.asleep()
        must("sockwake", "rm", "shop")
    finally:
        must("docker", "rmi", "wide-web")


def test_a_dry_run_and_no_provision_ask_nothing_of_an_engine(project: MakeProject) -> None:
    directory = projects.lay_out("wide")
    ran = run("sockwake-new", "shop", "--compose", str(directory), "--dry-run", "--json")
    shown = json.loads(ran.expect(0).out)
    files = ["/etc/sockwake/shop/instance.env", "/etc/sockwake/shop/engine-choice"]
    assert list(shown["files"]) == files[: 1 + bool(shutil.which("podman"))]
    assert shown["commands"] == [f"docker-compose --project-directory {directory} create"]
    made = run("sockwake-new", "shop", "--compose", str(directory), "--no-provision", "--json")
    assert json.loads(made.expect(0).out)["project"] == str(directory)
    assert must("docker", "ps", "--all", "--quiet") == ""
    must("sockwake", "rm", "shop")
