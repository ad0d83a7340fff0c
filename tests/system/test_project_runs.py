"""The services of a compose project while it runs: restarted, one-off, ill, started by hand."""

from __future__ import annotations

import re
import socket
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import project as projects
from client import Lost
from database import Database
from derived import derived
from instances import Make, MakeService
from moment import until
from program import must, run
from project import MakeProject, Project
from soak import only_in_soak
from web import get

NGINX = "nginx:local"
STUBBORN = ["sh", "-c", "trap '' TERM; while :; do sleep 1; done"]


def web(**more: object) -> dict[str, object]:
    return {"image": NGINX, "ports": ["8095:80"], **more}


def shell(script: str, **more: object) -> dict[str, object]:
    return {"image": NGINX, "entrypoint": ["sh", "-c", script], **more}


def after(condition: str, **more: object) -> dict[str, object]:
    return {"condition": condition, **more}


@pytest.fixture
def make(project: MakeProject) -> Callable[..., Project]:
    """make(SERVICES, *options, status=…, **sections) makes an instance of these services."""

    def of(
        services: dict[str, object], *options: str, status: int = 0, **sections: object
    ) -> Project:
        projects.write("mine", services, **sections)
        return project("mine", *options, status=status)

    return of


def put_to_sleep(shop: Project) -> None:
    must("systemctl", "stop", shop.backend)
    shop.asleep()


def test_a_server_that_crashes_at_first_is_restarted(make: Callable[..., Project]) -> None:
    count = "n=$$(cat /starts || echo 0); echo $$((n + 1)) >/starts; "
    script = count + "[ $$((n % 3)) = 2 ] || exit 1; exec nginx -g 'daemon off;'"
    shop = make({"web": shell(script, ports=["8095:80"], restart="always")})
    assert get(shop.port).status == 200
    assert shop.journal(f"--unit={shop.backend}").count("it is restarted in") == 2
    put_to_sleep(shop)


def test_a_worker_is_restarted_as_often_as_its_file_says(make: Callable[..., Project]) -> None:
    shop = make(
        {"web": web(), "worker": shell("exit 3", restart="on-failure:2")}, "--idle", "10min"
    )
    assert get(shop.port).status == 200
    shop.await_journal("worker': its container ended with status 3\n", f"--unit={shop.backend}")
    assert shop.journal(f"--unit={shop.backend}").count("it is restarted in") == 2
    assert shop.is_awake()
    put_to_sleep(shop)


def test_a_one_off_that_fails_is_named(make: Callable[..., Project]) -> None:
    needs = {"once": after("service_completed_successfully")}
    services = {"web": web(depends_on=needs), "once": shell("echo no table >&2; exit 4")}
    make(services, status=1).made.expect(
        1, "service 'once', which it depends on, ended with status 4", "no table"
    )


@pytest.mark.soak
def test_a_one_off_runs_before_what_needs_it(make: Callable[..., Project]) -> None:
    needs = {"once": after("service_completed_successfully")}
    mounts = ["pages:/var/www/html"]
    shop = make(
        {
            "web": web(depends_on=needs, volumes=mounts),
            "once": shell("sleep 1; echo made >/var/www/html/made.html", volumes=mounts),
        },
        volumes={"pages": {}},
    )
    assert get(shop.port, "/made.html").text == "made\n"
    put_to_sleep(shop)


@pytest.mark.soak
def test_a_healthcheck_that_hangs_ends_the_wake_in_time(make: Callable[..., Project]) -> None:
    services = {"web": web(depends_on={"db": after("service_healthy")})}
    db = shell("sleep infinity", init=True, healthcheck={"test": ["CMD", "true"]})
    shop = make(services | {"db": db})
    shop.set("IDLE", "1s\nSTART_TIMEOUT=4s")
    ill = {"test": ["CMD", "sleep", "1000"], "timeout": "2s"}
    projects.write("mine", services | {"db": db | {"healthcheck": ill}})
    began = time.monotonic()
    assert get(shop.port, timeout=30).status == 503
    assert time.monotonic() - began < 15
    assert "its healthcheck did not pass in time" in str(shop.ls()["error"])
    shop.asleep(backend=("inactive", "failed"))


def test_a_service_of_another_profile_is_not_waited_for(make: Callable[..., Project]) -> None:
    needs = {"extra": after("service_started", required=False)}
    shop = make({"web": web(depends_on=needs), "extra": web(ports=[], profiles=["more"])})
    assert get(shop.port).status == 200
    assert shop.containers(all_of_them=False) == ["mine-web-1"]
    put_to_sleep(shop)


@pytest.mark.parametrize("networks", [["outer", "inner"], *only_in_soak(["inner"])])
def test_in_any_network_its_server_is_reached(
    make: Callable[..., Project], networks: list[str]
) -> None:
    sections = {"networks": {"inner": {"internal": True}, "outer": {}}}
    shop = make({"web": web(networks=networks)}, **sections)
    assert get(shop.port).status == 200
    put_to_sleep(shop)


def test_in_the_host_s_network_its_port_is_another_than_its_clients(
    make: Callable[..., Project],
) -> None:
    both = {"web": web(network_mode="host", ports=["80:80"])}
    make(both, status=2).made.expect(2, "takes port 80 of the host itself", "'80:8080'")
    shop = make({"web": web(network_mode="host")})
    assert get(shop.port).status == 200
    put_to_sleep(shop)


def test_what_had_to_be_killed_is_told(make: Callable[..., Project]) -> None:
    stubborn = {"image": NGINX, "entrypoint": STUBBORN, "stop_grace_period": "2s"}
    shop = make({"web": web(), "db": stubborn})
    assert get(shop.port).status == 200
    put_to_sleep(shop)
    said = "service 'db' did not end at its stop signal and was killed after 2 s"
    assert (shop.run / "killed").read_text() == f"{said}\n"
    assert said in shop.journal(f"--unit={shop.backend}")


@pytest.mark.parametrize("how", ["set", *only_in_soak("by hand")])
def test_an_edit_of_its_ports_while_it_is_awake_leads_no_client_to_another_service(
    make: Callable[..., Project], how: str
) -> None:
    def named(name: str, port: int) -> dict[str, object]:
        page = f"echo {name} >/var/www/html/who; exec nginx -g 'daemon off;'"
        return shell(page, ports=[f"127.0.0.1:{port}:80"])

    shop = make({"api": named("api", 8096), "web": named("web", 8095)}, "--idle", "10min")
    assert get(8095, "/who").text == "web\n"
    other = ",".join(reversed(shop.setting("PORTS").split(",")))
    if how == "set":
        must("sockwake", "set", "shop", f"PORTS={other}", "--force")
    else:
        must("sockwake", "keep", "shop")
        shop.set("PORTS", other)
        must("systemctl", "daemon-reload")
        must("systemctl", "restart", shop.socket)
    assert (get(8095, "/who").text, get(8096, "/who").text) == ("web\n", "api\n")
    must("sockwake", "sleep", "--force", "shop")


@pytest.mark.fault
@pytest.mark.parametrize("leaves", ["idle", *only_in_soak("stop")])
def test_a_client_that_has_left_a_port_without_a_server_keeps_nothing_awake(
    project: MakeProject, leaves: str
) -> None:
    shop = project("two-ports")
    shop.set("IDLE", "1s\nSTART_TIMEOUT=8s")
    with socket.create_connection(("127.0.0.1", 2222)) as client:
        client.sendall(b"SSH-2.0-me\r\n")
        assert get(3000).status == 200  # so that its proxies are there
    if leaves == "stop":
        must("systemctl", "stop", shop.backend)
    shop.asleep()
    time.sleep(2)  # in which it would wake again
    assert shop.journal(f"--unit={shop.backend}").count("woken by") == 1
    shop.asleep()


@pytest.mark.fault
def test_a_service_started_by_hand_is_told_and_stopped_by_a_look(project: MakeProject) -> None:
    shop = project("two-services")
    must("docker", "start", "two-services-db-1")
    assert shop.ls()["state"] == "unwatched"
    assert "no client woke it" in must("sockwake", "status", "shop")
    must("systemctl", "start", shop.look)
    shop.asleep()
    assert shop.ls()["state"] == "asleep"
    assert must("docker", "inspect", "--format={{.State.ExitCode}}", "two-services-db-1") == "0\n"


@pytest.mark.fault
@pytest.mark.parametrize(
    "look", [True, *only_in_soak(False)], ids=["as-documented", "without-the-look"]
)
def test_a_backup_of_a_database_started_by_hand_copies_none_that_runs(
    instance: Make, tmp_path: Path, look: bool
) -> None:
    database = instance("--runtime", "engine")
    must("docker", "start", database.container)
    assert database.ls()["state"] == "unwatched"
    must("systemctl", "stop", database.socket, database.proxy, database.backend)
    if look:
        must("systemctl", "start", database.look)
    assert database.server_pid() == 0
    copy = tmp_path / "pg1.tar"
    must("tar", "-C", "/", "-cf", str(copy), f"var/lib/sockwake/{database.name}")
    with tarfile.open(copy) as tar:
        assert not [name for name in tar.getnames() if name.endswith("postmaster.pid")]
    must("systemctl", "start", database.socket)


@pytest.mark.fault
def test_a_container_started_by_hand_is_put_right_by_the_next_wake(
    instance: Make, image: str
) -> None:
    """At once, while its process 1 is a shell, for which the kernel drops the stop signal."""
    slow = 'ENTRYPOINT ["sh", "-c", "sleep 2; exec entrypoint \\"$@\\"", "sh"]'
    with derived(image, {}, slow, 'CMD ["postgres"]', name="slow:18") as name:
        database: Database = instance("--runtime", "engine", "--image", name)
        must("docker", "start", database.container)
        began = time.monotonic()
        with database.at_work():
            assert database.ls()["state"] == "awake"
        assert time.monotonic() - began < 60, "not as long as the container may take to stop"
        database.asleep()
        run("sockwake", "rm", "--purge", database.name)


@pytest.mark.fault
def test_a_pruned_network_of_a_container_is_made_anew(service: MakeService, nginx: str) -> None:
    options = ("--image", nginx, "--container-port", "80", "--runtime", "engine")
    one = service("container", *options, name="shop")
    file = one.etc / "compose.yaml"
    text = re.sub("network_mode: .*", "networks: [own]", file.read_text())
    file.write_text(f"{text}\nnetworks: {{own: {{}}}}\n")
    assert get(one.port).status == 200
    one.asleep()
    assert "own" in must("docker", "network", "prune", "--force")
    assert get(one.port).status == 200
    one.asleep()


@pytest.mark.soak
@pytest.mark.fault
def test_a_prune_while_it_is_awake_costs_nothing(project: MakeProject) -> None:
    shop = project("named-volume", "--idle", "10min")
    assert get(shop.port).status == 200
    write = "echo kept >/var/www/html/page.html"
    must("docker", "exec", "named-volume-web-1", "sh", "-c", write)
    for what in ("network", "container", "volume", "system"):
        must("docker", what, "prune", "--force")
        assert get(shop.port, "/page.html").text == "kept\n", f"awake, {what}"
        put_to_sleep(shop)
        must("docker", what, "prune", "--force")
        assert get(shop.port, "/page.html").text == "kept\n", f"asleep, {what}"
    put_to_sleep(shop)


@pytest.mark.fault
def test_an_image_that_is_gone_is_named(project: MakeProject) -> None:
    must("docker", "tag", NGINX, "nginx:mine")
    projects.write("mine", {"web": web(image="nginx:mine")})
    shop = project("mine")
    must("docker", "container", "prune", "--force")
    must("docker", "rmi", "nginx:mine")
    with pytest.raises(Lost):
        if get(shop.port).status == 503:
            raise Lost("told why")
    until("it is told", lambda: "nginx:mine" in str(shop.ls().get("error")))
    must("docker", "tag", NGINX, "nginx:mine")
    assert get(shop.port).status == 200
    put_to_sleep(shop)
    run("docker", "rmi", "--force", "nginx:mine")
