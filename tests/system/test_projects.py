"""A compose project sleeps where it lies, whole: inputs of users, each with its right outcome."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

import project as projects
from client import Lost
from moment import until
from program import must, run
from project import MakeProject
from soak import only_in_soak
from web import get


def page(where: Path, text: str) -> None:
    where.parent.mkdir(parents=True, exist_ok=True)
    where.write_text(text)


def test_a_relative_bind_is_where_compose_has_it_and_outlives_rm(project: MakeProject) -> None:
    shop = project("relative-bind")
    get(shop.port)
    page(shop.directory / "data/page.html", "precious")
    assert get(shop.port, "/page.html").text == "precious"
    shop.asleep()
    must("sockwake", "rm", "shop")
    assert (shop.directory / "data/page.html").read_text() == "precious"
    run("sockwake", "rm", "shop").expect(5)
    assert (shop.directory / "data/page.html").read_text() == "precious"


def test_dotenv_is_read_as_compose_reads_it(project: MakeProject) -> None:
    shop = project("dotenv")
    assert get(shop.port).status == 200
    (name,) = shop.containers()
    shown = must("docker", "inspect", "--format={{.Config.Image}} {{.Config.Env}}", name)
    assert "nginx:local" in shown and "SECRET=s3cret" in shown
    assert "s3cret" not in "".join(path.read_text() for path in shop.etc.iterdir())


def test_a_secret_or_an_image_of_a_variable_that_is_not_set_is_refused(
    project: MakeProject,
) -> None:
    directory = projects.lay_out("dotenv")
    (directory / ".env").write_text("SECRET=x\n")
    project("dotenv", status=2).made.expect(2, "variable TAG is not set", "/.env")
    (directory / ".env").write_text("TAG=local\n")
    project("dotenv", status=2).made.expect(2, "variable SECRET is not set", "/.env")
    assert not Path("/etc/sockwake/shop").exists()


def test_files_beside_the_compose_file_are_found(project: MakeProject) -> None:
    shop = project("files-beside")
    assert get(shop.port).status == 200
    (name,) = shop.containers()
    said = must("docker", "exec", name, "sh", "-c", "cat /run/secrets/tok; echo $A")
    assert said.split() == ["token", "b"]


def test_an_edit_of_a_file_beside_it_is_taken_at_the_next_wake(project: MakeProject) -> None:
    shop = project("files-beside")
    get(shop.port)
    shop.asleep()
    (shop.directory / "app.env").write_text("A=changed\n")
    get(shop.port)
    assert must("docker", "exec", shop.containers()[0], "printenv", "A") == "changed\n"
    shop.asleep()
    made = must("docker", "inspect", "--format={{.Id}}", shop.containers()[0])
    get(shop.port)
    assert must("docker", "inspect", "--format={{.Id}}", shop.containers()[0]) == made


def test_a_project_of_two_services_wakes_and_sleeps_whole(project: MakeProject, image: str) -> None:
    shop = project("two-services")
    assert shop.containers(all_of_them=False) == []
    assert get(shop.port).status == 200
    assert sorted(shop.containers(all_of_them=False)) == ["two-services-db-1", "two-services-web-1"]
    shop.asleep()
    said = shop.journal(f"--unit={shop.backend}", "--output=short")
    assert " web[" in said and " db[" in said, "each service's log has its name"
    down = must("docker", "inspect", "--format={{.State.FinishedAt}}", *sorted(shop.containers()))
    db, web = down.split()
    assert web <= db, "stopped in reverse"
    codes = must("docker", "inspect", "--format={{.State.ExitCode}}", *shop.containers())
    assert codes.split() == ["0", "0"]


def test_a_volume_that_has_data_keeps_them_and_compose_works_as_ever_after_rm(
    project: MakeProject,
) -> None:
    directory = projects.lay_out("named-volume")
    run("docker-compose", "up", "--detach", cwd=str(directory)).expect(0)
    write = "echo kept >/var/www/html/page.html"
    must("docker", "exec", "named-volume-web-1", "sh", "-c", write)
    shop = project("named-volume", status=1)
    shop.made.expect(1, "runs, and has its ports", "docker compose stop")
    shop.compose("stop")
    project("named-volume")
    assert get(shop.port, "/page.html").text == "kept\n"
    port = shop.port
    shop.asleep()
    must("sockwake", "rm", "shop")
    shop.compose("up", "--detach")
    until("its server is up", lambda: get_status(port) == 200)
    assert get(port, "/page.html").text == "kept\n"


def test_every_published_port_wakes_it(project: MakeProject) -> None:
    shop = project("two-ports")
    assert shop.made.err.count("service 'git' does not answer on port 22") == 1
    assert len(shop.ports) == 4, "IPv4 and IPv6"
    shop.set("IDLE", "1s\nSTART_TIMEOUT=3s")  # after which clients of a port without a server go
    assert get(3000).status == 200
    shop.asleep()
    with pytest.raises(Lost):
        get(2222, timeout=20)
    assert shop.journal(f"--unit={shop.backend}").count("woken by") == 2
    shop.asleep()


def test_a_server_that_answers_at_its_ipv6_address_alone_is_reached(project: MakeProject) -> None:
    shop = project("ipv6-server")
    assert get(shop.port).status == 200
    shop.asleep()


def test_a_port_is_narrowed_down_and_moved(project: MakeProject) -> None:
    shop = project("two-ports", "--port", "3000", "--listen", "127.0.0.1")
    assert shop.setting("PORTS") == "127.0.0.1:3000=git:80"
    assert get(3000).status == 200
    shop.asleep()


def test_the_address_of_the_file_is_kept_with_a_warning(project: MakeProject) -> None:
    shop = project("wide")
    assert shop.setting("PORTS") == "0.0.0.0:8083=web:80"
    shop.made.expect(0, "it listens on 0.0.0.0")


def test_udp_is_refused_in_one_sentence(project: MakeProject) -> None:
    project("udp", status=2).made.expect(2, "publishes no TCP port", "UDP packet")


def test_a_profile_is_named_when_it_is_needed(project: MakeProject) -> None:
    project("profiles", status=2).made.expect(2, "no service without a profile", "--profile full")
    shop = project("profiles", "--profile", "full")
    assert get(shop.port).status == 200
    assert shop.setting("PROFILES") == "full"


@pytest.mark.fault
def test_what_was_pruned_is_made_anew(project: MakeProject) -> None:
    shop = project("wide")
    for what in ("container", "network", "system"):
        must("docker", what, "prune", "--force")
        assert get(shop.port).status == 200, what
        shop.asleep()


@pytest.mark.fault
def test_an_image_that_was_pruned_with_its_containers_is_found(project: MakeProject) -> None:
    shop = project("wide")
    must("docker", "container", "prune", "--force")
    must("docker", "tag", "nginx:local", "nginx:put-aside")
    must("docker", "rmi", "nginx:local")
    try:
        found = run("sockwake", "doctor", shop.name, "--json")
        findings = [(each["check"], each["finding"]) for each in json.loads(found.out)]
        assert findings == [("project", "image nginx:local is not on this machine")]
    finally:
        must("docker", "tag", "nginx:put-aside", "nginx:local")
        must("docker", "rmi", "nginx:put-aside")
    assert get(shop.port).status == 200
    shop.asleep()
    assert json.loads(must("sockwake", "doctor", shop.name, "--json")) == []


@pytest.mark.fault
def test_compose_by_hand_while_it_sleeps(project: MakeProject) -> None:
    """The next client is served, by a container that is watched."""
    shop = project("wide")
    for verb in (["down"], ["rm", "--force"], ["start"], ["restart"]):
        run("docker-compose", *verb, cwd=str(shop.directory))
        assert get(shop.port).status == 200, verb
        shop.asleep()


@pytest.mark.fault
@pytest.mark.parametrize("verb", [["down"], *only_in_soak(["stop"], ["kill"])])
def test_compose_by_hand_while_it_is_awake(project: MakeProject, verb: list[str]) -> None:
    shop = project("wide", "--idle", "10min")
    assert get(shop.port).status == 200
    run("docker-compose", *verb, cwd=str(shop.directory)).expect(0)
    until("the end is noticed", lambda: not shop.is_awake())
    assert get(shop.port).status == 200
    must("systemctl", "stop", shop.backend)
    shop.asleep(backend=("inactive", "failed"))


@pytest.mark.fault
def test_a_service_that_ends_at_once_is_named(project: MakeProject) -> None:
    directory = projects.lay_out("relative-bind")
    text = (directory / "compose.yaml").read_text()
    (directory / "compose.yaml").write_text(text.replace("ports:", "command: ['false'], ports:"))
    shop = project("relative-bind", status=1)
    shop.made.expect(1, "service 'web': its container ended with status 1")
    assert shop.containers() == [] and not shop.etc.exists()


@pytest.mark.fault
@pytest.mark.kills
@pytest.mark.parametrize("number", ["KILL", *only_in_soak("TERM")])
def test_its_main_process_may_be_killed(project: MakeProject, number: str) -> None:
    shop = project("two-services", "--idle", "10min")
    assert get(shop.port).status == 200
    must("systemctl", "kill", f"--signal={number}", "--kill-whom=main", shop.backend)
    began = time.monotonic()
    while get_status(shop.port) != 200:
        assert time.monotonic() - began < 30
        time.sleep(0.2)
    must("systemctl", "stop", shop.backend)
    shop.asleep(backend=("inactive", "failed"))


def get_status(port: int) -> int:
    try:
        return get(port).status
    except Lost:
        return 0


def test_what_others_can_change_is_refused_and_copied_when_asked(project: MakeProject) -> None:
    directory = projects.lay_out("relative-bind")
    directory.chmod(0o777)
    project("relative-bind", status=1).made.expect(1, "--copy")
    shop = project("relative-bind", "--copy")
    copied = Path("/var/lib/sockwake/shop")
    assert shop.setting("PROJECT") == str(copied)
    get(shop.port)
    assert not (directory / "data").exists()
    assert (copied / "data").is_dir()
    must("systemctl", "stop", shop.backend)


def test_a_copy_is_root_s_alone_and_whole(project: MakeProject) -> None:
    directory = projects.lay_out("relative-bind")
    beside = directory.parent / "beside.env"
    beside.write_text("A=1\n")
    (directory / "app.env").symlink_to("../beside.env")
    page(directory / "data/page.html", "there")
    (directory / "link").symlink_to(directory / "data")
    (directory / "run.sh").write_text("#!/bin/sh\n")
    os.mkfifo(directory / "fifo")
    for path in (directory, *directory.rglob("*")):
        os.chown(path, 1000, 1000, follow_symlinks=False)
        if not path.is_symlink():
            path.chmod(0o777)
    shop = project("relative-bind", "--copy")
    copied = Path("/var/lib/sockwake/shop")
    for path in copied.rglob("*"):
        found = path.lstat()
        assert found.st_uid == 0 and (path.is_symlink() or not found.st_mode & 0o022), path
    assert os.access(copied / "run.sh", os.X_OK)
    assert (copied / "app.env").read_text() == "A=1\n" and not (copied / "app.env").is_symlink()
    assert os.readlink(copied / "link") == "data"
    assert get(shop.port, "/page.html").text == "there"
    must("systemctl", "stop", shop.backend)
    beside.unlink()
