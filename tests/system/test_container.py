"""A container of any image sleeps, too: woken by HTTP, its data and its edits kept."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from instances import MakeService
from moment import until
from program import must, run
from service import Service
from soak import only_in_soak
from web import get, staying
from webshop import container, opened_since, served, slow_to_get_up


@pytest.mark.parametrize("runtime", ["crun", *only_in_soak("engine")])
def test_woken_by_http_and_nothing_is_left_when_it_sleeps(
    service: MakeService, nginx: str, runtime: str
) -> None:
    before = opened_since(set())
    shop = container(service, nginx, "--runtime", runtime)
    for _ in range(2):
        assert shop.processes() == []
        with staying(shop.port):
            assert "Welcome to nginx" in get(shop.port).text
            assert len(shop.processes()) >= 4, "the search for processes finds none"
            assert opened_since(before) == {f"127.0.0.1:{shop.port}"}
            assert shop.ls()["state"] == "awake"
        shop.asleep()
        assert shop.ls()["state"] == "asleep"
    assert must("docker", "ps", "--quiet") == ""
    state = ("docker", "inspect", "--format={{.State.Status}} {{.State.ExitCode}}", shop.container)
    assert run(*state).out.strip() == ("" if runtime == "crun" else "exited 0")
    assert str(shop.run) not in Path("/proc/mounts").read_text()


def test_says_what_was_made_and_how_long_its_first_wake_took(
    service: MakeService, nginx: str
) -> None:
    shop = container(service, nginx, "--json", enable=False)
    said = json.loads(shop.made.out)
    assert (said["kind"], said["dsn"], said["data"]) == ("container", "http://127.0.0.1:25432/", "")
    assert 0 < said["first_wake_seconds"] < 30
    assert (said["password_file"], sorted(entry.name for entry in shop.etc.iterdir())) == (
        None,
        [
            "compose.yaml",
            *(["engine-choice"] if shutil.which("podman") else []),
            "instance.env",
            "unit.conf",
        ],
    )
    shop.open()
    served(shop)


def test_a_dozen_at_once_onto_a_sleeping_one(service: MakeService, nginx: str) -> None:
    shop = container(service, nginx)
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: get(shop.port), range(12)))
    assert [answer.status for answer in answers] == [200] * 12
    assert shop.journal().count("woken by") == 1
    shop.asleep()


@pytest.mark.engine
def test_nothing_is_published_by_an_edited_compose_yaml(service: MakeService, nginx: str) -> None:
    before = opened_since(set())
    shop = slow_to_get_up(service)
    shop.edit("compose.yaml", "    command:\n", '    ports: ["25481:8080"]\n    command:\n')
    assert opened_since(before) == {"127.0.0.1:25480"}
    assert get(25480).text == "up"
    assert must(
        "docker", "inspect", "--format={{json .HostConfig.PortBindings}}", shop.container
    ) in ("{}\n", "null\n")
    assert opened_since(before) == {"127.0.0.1:25480"}
    shop.asleep()
    assert get(25480).text == "up"
    shop.asleep()


def test_ready_by_http_waits_for_more_than_503(service: MakeService, nginx: str) -> None:
    shop = slow_to_get_up(service, "--ready", "http:/health")
    for _ in range(2):
        assert (get(shop.port).status, get(shop.port, "/health").text) == (200, "up")
        shop.asleep()


def test_ready_by_tcp_leaves_it_to_the_server_what_it_says(
    service: MakeService, nginx: str
) -> None:
    shop = slow_to_get_up(service, "--ready", "tcp", late=8)
    answer = get(shop.port)
    assert answer.status == 503 and "sockwake" not in answer.text and "nginx" in answer.text
    until("its server is up", lambda: get(shop.port).text == "up")
    shop.asleep()


def test_data_survive_sleep_edits_and_rm_without_purge(service: MakeService, nginx: str) -> None:
    script = "echo start >>/var/www/html/starts; exec nginx -g 'daemon off;'"
    counts = f'    command: ["sh", "-c", "{script}"]\n'
    shop = container(service, nginx, "--mount", "/var/www/html")
    assert str(shop.data) == "/var/lib/sockwake/svc1"
    (shop.data / "page").write_text("kept")
    shop.edit("compose.yaml", "    image: ${IMAGE}\n", "    image: ${IMAGE}\n" + counts)
    for times in (1, 2):
        assert get(shop.port, "/page").text == "kept"
        assert get(shop.port, "/starts").text == "start\n" * times
        shop.asleep()
    run("sockwake", "rm", "svc1").expect(0, "left the data in /var/lib/sockwake/svc1")
    again = container(service, nginx, "--mount", "/var/www/html")
    assert get(again.port, "/starts").text == "start\n" * 2
    again.asleep()
    run("sockwake", "rm", "svc1", "--purge").expect(0, "deleted the data in /var/lib/sockwake/svc1")
    assert not again.etc.exists() and not Path("/var/lib/sockwake/svc1").exists()


@pytest.mark.soak
@pytest.mark.engine
def test_a_volume_that_an_edited_compose_yaml_names_outlives_all_but_purge(
    service: MakeService, nginx: str
) -> None:
    def make() -> Service:
        shop = container(service, nginx)
        (shop.etc / "compose.yaml").write_text(
            (shop.etc / "compose.yaml").read_text().rstrip()
            + "\n    volumes: ['pages:/var/www/html']\nvolumes: {pages: {}}\n"
        )
        get(shop.port)
        shop.asleep()
        return shop

    volume = "sockwake-svc1_pages"
    make()
    folder = Path(must("docker", "volume", "inspect", "--format={{.Mountpoint}}", volume).strip())
    (folder / "page").write_text("kept")
    run("sockwake", "rm", "svc1").expect(0, f"left the volume {volume}")
    shop = make()
    assert get(shop.port, "/page").text == "kept"
    shop.asleep()
    run("sockwake", "rm", "svc1", "--purge").expect(0, f"deleted the volume {volume}")
    assert must("docker", "volume", "ls", "--quiet") == ""


@pytest.mark.engine
def test_edits_of_compose_yaml_count_from_the_next_wake_on(
    service: MakeService, nginx: str
) -> None:
    shop = container(service, nginx)

    def label() -> str:
        return must(
            "docker", "inspect", '--format={{index .Config.Labels "mine"}} {{.Id}}', shop.container
        ).strip()

    before = label()
    get(shop.port)
    shop.edit(
        "compose.yaml", "    image: ${IMAGE}\n", "    image: ${IMAGE}\n    labels: {mine: edited}\n"
    )
    get(shop.port)
    assert label() == before
    shop.asleep()
    get(shop.port)
    after = label()
    assert after.startswith("edited ")
    shop.asleep()
    get(shop.port)
    assert label() == after
    shop.asleep()


def test_rm_refuses_while_clients_are_connected(service: MakeService, nginx: str) -> None:
    shop = container(service, nginx)
    with staying(shop.port):
        run("sockwake", "rm", "svc1").expect(4, "instance 'svc1' has 1 connected client")
    shop.asleep()
    run("sockwake", "rm", "svc1").expect(0)
    assert run("docker", "inspect", shop.container).status == 1


def test_what_the_next_wake_could_not_make_is_refused_under_clients_too(
    service: MakeService, nginx: str
) -> None:
    web = container(service, nginx, idle="10min")  # a registry may let one wait
    env = web.etc / "instance.env"
    for key, why in (
        ("SERVICE=nope", "SERVICE= names none of them"),
        ("IMAGE=localhost/nope:1", "is neither on this machine nor to be had"),
        ("DATA=/srv/none-of-the-tests", "cannot use data directory /srv/none-of-the-tests"),
    ):
        assert get(web.port).status == 200
        before = env.read_text()
        run("sockwake", "set", "svc1", key).expect(1, why)
        assert env.read_text() == before and web.is_awake()
    run("sockwake", "set", "svc1", "START_TIMEOUT=80s").expect(0, "at the next wake")
    web.put_to_sleep()
    assert get(web.port).status == 200
    web.put_to_sleep()
