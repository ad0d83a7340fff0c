"""What a compose project is made of counts wherever it lies, and a copy of it is whole."""

from __future__ import annotations

import json
from pathlib import Path

import project as projects
from program import must
from project import MakeProject, Project
from web import get

EXISTS, USAGE = 3, 2  # exit statuses


def put_to_sleep(shop: Project) -> None:
    must("systemctl", "stop", shop.backend)
    shop.asleep()


def test_a_file_outside_that_others_can_write_is_refused_and_none_is_left_out_of_a_copy(
    project: MakeProject,
) -> None:
    base = {"file": "../base/common.yaml", "service": "base"}
    directory = projects.write("mine", {"web": {"extends": base, "ports": ["8095:80"]}})
    common = directory.parent / "base/common.yaml"
    common.parent.mkdir()
    common.write_text('services: {base: {image: "nginx:local"}}\n')
    common.chmod(0o666)
    refused = project("mine", status=1).made.expect(1, f"{common} can be written by others")
    assert "--copy" not in refused.err
    projects.new("shop", directory, "--copy").expect(1, f"{common} can be written by others")
    common.chmod(0o644)
    projects.new("shop", directory, "--copy").expect(
        USAGE, f"--copy takes {directory} alone, and the project's file {common} is outside"
    )
    assert not Path("/var/lib/sockwake/shop").exists()
    shop = project("mine")
    assert get(shop.port).status == 200
    put_to_sleep(shop)
    common.chmod(0o666)
    common.write_text('services: {base: {image: "nginx:local", user: root}}\n')
    assert f"{common} can be written by others" in get(shop.port).text


def test_files_that_dotenv_names_count_as_the_project_s(project: MakeProject) -> None:
    web = {"image": "nginx:local", "ports": ["8095:80"]}
    directory = projects.write("mine", {"web": web})
    (directory / ".env").write_text("COMPOSE_FILE=compose.yaml:more.yaml\n")
    more = directory / "more.yaml"
    more.write_text("services: {web: {environment: {A: before}}}")
    shop = project("mine")
    more.write_text("services: {web: {environment: {A: after}}}")
    assert get(shop.port).status == 200
    assert must("docker", "exec", "mine-web-1", "printenv", "A") == "after\n"
    put_to_sleep(shop)
    more.chmod(0o666)
    more.write_text("services: {web: {environment: {A: another's}}}")
    assert f"{more} can be written by others" in get(shop.port).text


def test_a_copy_takes_no_other_project_s_name(project: MakeProject) -> None:
    """A project without a name has that of its directory: a copy has the instance's."""
    web = {"image": "nginx:local", "ports": ["8095:80"]}
    directory, other = (projects.write(name, {"web": web}) for name in ("mine", "else/shop"))
    must("docker-compose", "create", cwd=str(other))
    try:
        taken = project("mine", "--copy", status=1)
        taken.made.expect(1, f"there is another compose project 'shop', of {other}")
        assert not taken.etc.exists() and not Path("/var/lib/sockwake/shop").exists()
        assert taken.containers() == [] and directory.exists()
    finally:
        must("docker-compose", "down", cwd=str(other))
    project("else/shop", name="other")
    projects.new("shop", directory, "--copy").expect(
        EXISTS, f"instance 'other' has the compose project 'shop' already, in {other}"
    )
    must("sockwake", "rm", "other")


def test_what_was_taken_out_of_it_is_no_part_of_its_next_wake(project: MakeProject) -> None:
    """A service, a profile, or the name of the whole project."""
    web = {"image": "nginx:local", "ports": ["8095:80"]}
    rest = {"image": "nginx:local", "command": ["sleep", "infinity"], "init": True}
    services = {"web": web, "old": rest, "extra": {**rest, "profiles": ["more"]}}
    projects.write("mine", services)
    shop = project("mine", "--profile", "more")
    del services["old"]
    projects.write("mine", services)
    assert get(shop.port).status == 200
    assert sorted(shop.containers(all_of_them=False)) == ["mine-extra-1", "mine-web-1"]
    put_to_sleep(shop)
    must("sockwake", "set", "shop", "PROFILES=")
    assert get(shop.port).status == 200
    assert shop.containers(all_of_them=False) == ["mine-web-1"]
    put_to_sleep(shop)
    named = {"name": "other", "services": {**services, "old": rest}}
    (shop.directory / "compose.yaml").write_text(json.dumps(named))
    assert get(shop.port).status == 200
    put_to_sleep(shop)
    must("sockwake", "rm", "shop")
    assert shop.containers() == []
