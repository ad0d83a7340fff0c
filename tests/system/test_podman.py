"""Instances in root's podman behave like those in Docker.

The image comes from Docker's store; podman calls it localhost/…, and finds it by its short name.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from database import IMAGE, Database
from instances import Make
from moment import until, until_gone
from program import Ran, must, run
from project import FOLDER, MakeProject, write
from project import new as project_of
from recovery import awake, heals
from service import Service
from web import get
from webshop import NGINX

WEB_AND_DATABASE: dict[str, dict[str, object]] = {
    "web": {
        "image": NGINX,
        "ports": ["8093:80"],
        "depends_on": {"db": {"condition": "service_healthy"}},
    },
    "db": {
        "image": IMAGE,
        "environment": {"POSTGRES_PASSWORD": "x"},
        "volumes": ["db:/var/lib/postgresql"],
        "healthcheck": {"test": ["CMD", "pg_isready", "-U", "postgres"], "interval": "2s"},
    },
}


@pytest.fixture(scope="module")
def podman(image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Root's podman with the images, and its API listening."""
    if run("sh", "-c", "command -v podman").status:
        pytest.skip("podman is not installed")
    archive = tmp_path_factory.mktemp("images") / "images.tar"
    must("docker", "save", "--output", str(archive), IMAGE, NGINX, timeout=300)
    must("podman", "load", "--quiet", "--input", str(archive), timeout=300)
    archive.unlink()
    must("systemctl", "start", "podman.socket")
    yield
    left = containers("--all")
    run("systemctl", "stop", "podman.socket", "podman.service")
    run("podman", "rmi", "--all", "--force", timeout=120)
    assert left == []


@pytest.fixture
def in_podman(instance: Make, podman: None) -> Make:
    """Like instance(), but in podman."""
    return lambda *options, **more: instance("--engine", "podman", *options, **more)


@pytest.fixture
def compose(project: MakeProject, podman: None) -> Iterator[Callable[..., str]]:
    """compose(ARGUMENT…) as the owner of project "pair" types it for podman."""
    directory = FOLDER / "pair"

    def typed(*arguments: str) -> str:
        return must("podman", "compose", *arguments, cwd=str(directory), timeout=120)

    write(directory.name, WEB_AND_DATABASE, volumes={"db": {}})
    yield typed
    run("systemctl", "stop", "pg-proxy@pair.socket", "pg-proxy@pair.service")
    write(directory.name, WEB_AND_DATABASE, volumes={"db": {}})
    typed("down", "--volumes")


def query(sql: str) -> str:
    """The database of project "pair" itself is asked, which publishes no port."""
    psql = ("psql", "-h", "127.0.0.1", "-U", "postgres", "-XAtc", sql)
    return must("podman", "exec", "--env=PGPASSWORD=x", "pair-db-1", *psql).strip()


def containers(*options: str) -> list[str]:
    return must("podman", "ps", *options, "--format={{.Names}}").split()


def asleep(database: Service) -> None:
    """Service.asleep() looks for Docker's processes; here podman is asked."""
    database.asleep()
    until_gone(f"{database} has no container that runs", containers)


def test_a_database_wakes_answers_and_sleeps(in_podman: Make) -> None:
    database = in_podman()
    assert database.setting("ENGINE") == "podman"
    assert containers("--all") == ["sockwake-pg1"] and containers() == []
    assert "sockwake-pg1" not in must("docker", "ps", "--all", "--format={{.Names}}")
    for answer in ("1", "2"):
        assert database.psql(f"select {answer}") == answer
        asleep(database)
    assert "database system is ready to accept connections" in database.journal()
    assert "received fast shutdown request" in database.journal()
    # podman's API service exits after five seconds without a request or an attached client
    assert database.psql("select pg_sleep(9), 1").endswith("|1")
    asleep(database)
    database.add_guc("work_mem=7MB")
    assert database.psql("show work_mem") == "7MB"
    assert containers("--all") == ["sockwake-pg1"], "edited files make a new container"
    asleep(database)


@pytest.mark.soak
def test_tls_is_offered(in_podman: Make) -> None:
    database = in_podman("--tls")
    assert database.psql("select ssl from pg_stat_ssl where pid = pg_backend_pid()") == "t"


def test_a_web_server_wakes_answers_and_sleeps(
    podman: None, known: Callable[[str], Database]
) -> None:
    web = known("web")
    new = "sockwake-new web --engine podman --kind container --container-port 80 --network none"
    must(*new.split(), "--image", NGINX, "--idle", "1s", "--enable")
    for _ in range(2):
        assert "nginx" in get(web.port).text
        asleep(web)
    run("sockwake", "rm", "web").expect(0)
    assert containers("--all") == []


def chosen(ran: Ran) -> str:
    """What sockwake-new --dry-run --json has chosen, with the reason, for instance "web"."""
    files = json.loads(ran.expect(0).out)["files"]
    env = files["/etc/sockwake/web/instance.env"]["content"]
    choice: str = files["/etc/sockwake/web/engine-choice"]["content"]
    assert ("\nENGINE=podman\n" in env) == choice.startswith("podman: ")
    return choice.strip()


def test_the_default_is_podman_unless_only_docker_can_be_right(
    podman: None, known: Callable[[str], Database], compose: Callable[..., str]
) -> None:
    new = "sockwake-new web --kind container --container-port 80 --runtime engine --idle 1s".split()
    dry = ("--dry-run", "--json")
    must("systemctl", "enable", "podman.socket")
    try:
        must("docker", "tag", NGINX, "only-in:docker")
        built = chosen(run(*new, "--image", "only-in:docker", *dry))
        assert built == "docker: docker has image only-in:docker, and podman has not"
        must("docker", "create", "--name=reader", "--volume=/srv/read:/x", NGINX)
        data = chosen(run(*new, "--image", NGINX, "--data", "/srv/read", "--mount", "/y", *dry))
        assert data == "docker: docker's container reader mounts /srv/read"
        compose("config")
        assert chosen(project_of("web", FOLDER / "pair", *dry)).startswith("podman: ")
        must("docker", "volume", "create", "--label=com.docker.compose.project=pair", "pair_db")
        owned = chosen(project_of("web", FOLDER / "pair", *dry))
        assert owned == "docker: docker has volumes of the project 'pair'"
        web = known("web")
        said = must(*new, "--image", NGINX, "--enable")
        why = "podman: docker is installed, too, and takes longer for a wake and stays resident"
        assert why in said and why in must("sockwake", "status", "web")
        assert web.setting("ENGINE") == "podman" and "nginx" in get(web.port).text
        asleep(web)
    finally:
        run("docker", "rm", "--volumes", "reader")
        run("docker", "volume", "rm", "pair_db")
        run("docker", "rmi", "only-in:docker")
        must("systemctl", "disable", "podman.socket")
        shutil.rmtree("/srv/read", ignore_errors=True)


def test_a_project_sleeps_whole_and_is_given_back_with_its_data(
    project: MakeProject, compose: Callable[..., str]
) -> None:
    pair = project("pair", "--engine", "podman", name="pair")
    assert len(containers("--all")) == 2 and containers() == []
    assert get(pair.port).status == 200
    assert sorted(containers()) == ["pair-db-1", "pair-web-1"]
    query("create table kept as select 7 as n")
    asleep(pair)
    ended = "{{.State.FinishedAt.UnixNano}} {{.State.ExitCode}}"
    said = [
        must("podman", "inspect", f"--format={ended}", f"pair-{name}-1").split()
        for name in ("web", "db")
    ]
    assert said == sorted(said), "stopped in reverse"
    assert [code for _, code in said] == ["0", "0"]
    assert get(pair.port).status == 200
    assert query("select n from kept") == "7"
    port = pair.port
    asleep(pair)
    assert "pair_db" in must("sockwake", "rm", "pair")
    assert containers("--all") == []
    assert "pair" not in must("podman", "network", "ls", "--format={{.Name}}")
    compose("up", "--detach", "--wait")
    until("its server is up", lambda: run("curl", "-f", f"http://127.0.0.1:{port}").status == 0)
    assert query("select n from kept") == "7"
    again = project_of("again", pair.directory, "--engine", "podman")
    again.expect(1, "runs, and has its ports", "podman compose stop")


@pytest.mark.fault
def test_what_compose_does_not_do_with_podman_is_told_with_the_way_out(
    project: MakeProject, compose: Callable[..., str]
) -> None:
    check = {"test": ["CMD", "true"], "interval": "2s", "start_interval": "1s"}
    database = WEB_AND_DATABASE["db"] | {"healthcheck": check}
    write("pair", WEB_AND_DATABASE | {"db": database}, volumes={"db": {}})
    pair = project("pair", "--engine", "podman", name="pair", status=1)
    pair.made.expect(1, "compose could not make the project in ", "leave start_interval out")
    assert containers("--all") == [] and not pair.etc.exists()


@pytest.mark.soak
@pytest.mark.fault
def test_a_container_that_was_removed_is_made_again(in_podman: Make) -> None:
    database = in_podman()
    must("podman", "rm", "--force", "sockwake-pg1")
    assert database.psql() == "1"


@pytest.mark.fault
def test_one_that_was_started_by_hand_is_told_until_the_next_client(in_podman: Make) -> None:
    database = in_podman()
    must("podman", "start", "sockwake-pg1")
    assert database.ls()["state"] == "unwatched"
    run("sockwake", "doctor", "pg1").expect(1, "its container runs though no client woke it")
    assert database.psql() == "1"
    asleep(database)


@pytest.mark.fault
@pytest.mark.kills
def test_a_database_that_is_killed_comes_back(in_podman: Make) -> None:
    database, client = awake(in_podman)
    must("podman", "kill", "sockwake-pg1")
    database.await_journal("its container ended with status 137")
    heals(database, client)


@pytest.mark.fault
def test_an_engine_that_does_not_run_is_named(in_podman: Make) -> None:
    database = in_podman()
    must("systemctl", "stop", "podman.socket", "podman.service")
    try:
        assert "does not answer at /run/podman/podman.sock" in database.fatal()
    finally:
        must("systemctl", "start", "podman.socket")
    assert database.psql() == "1"


@pytest.mark.fault
def test_a_stopped_engine_ends_the_database_though_its_container_runs_on(in_podman: Make) -> None:
    """Stopping podman's API service stops none of its containers."""
    database, client = awake(in_podman)
    server = int(must("podman", "inspect", "--format={{.State.Pid}}", "sockwake-pg1"))
    must("systemctl", "stop", "podman.socket", "podman.service")
    try:
        until_gone("the server has shut down", lambda: Path(f"/proc/{server}").exists())
        database.await_journal("the container engine has ended under it")
    finally:
        must("systemctl", "start", "podman.socket")
    heals(database, client)


def test_a_missing_image_is_reported_with_the_command_that_loads_it(
    podman: None, known: Callable[[str], Database]
) -> None:
    known("pg1")
    ran = run(*"sockwake-new pg1 --engine podman --version 18 --image localhost/no:such".split())
    ran.expect(
        1,
        "image localhost/no:such is neither on this machine nor to be had",
        "docker.io/library/postgres:18? podman load brings one",
    )
    assert containers("--all") == [] and not Path("/etc/sockwake/pg1").exists()


@pytest.mark.fault
def test_an_edit_of_engine_by_hand_starts_no_second_server_beside_one_that_was_left(
    podman: None, known: Callable[[str], Database]
) -> None:
    web = known("web")
    new = "sockwake-new web --engine docker --kind container --container-port 80 --idle 10min"
    must(*new.split(), "--image", NGINX, "--data=/srv/both", "--mount=/x", "--enable")
    assert "nginx" in get(web.port).text
    with open(web.etc / "instance.env", "a", encoding="utf-8") as file:
        file.write("ENGINE=podman\n")
    web.kill(web.backend)
    until("its container has been stopped", lambda: not must("docker", "ps", "--quiet"))
    assert "nginx" in get(web.port).text
    must("sockwake", "sleep", "--force", "web")
    assert containers("--all") == [web.container], "and there is one in docker still"
    said = must("sockwake", "rm", "--purge", "web")
    assert "removed its container in docker, which it had before" in said
    assert containers("--all") == []
    assert web.container not in must("docker", "ps", "--all", "--format={{.Names}}")
