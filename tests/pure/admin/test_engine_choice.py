"""Which engine a new instance gets that names none: podman, unless only docker can be right."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from daemon import Daemon
from engine_lists import answers, thing
from sockwake.admin.make import engine_choice
from sockwake.admin.make.engine_choice import DOCKER, PODMAN, Wanted, choose
from sockwake.engine import compose_limits
from sockwake.engine.compose_project import ComposeProject
from sockwake.engine.images import in_docker_hub
from sockwake.system import systemctl

IMAGE, NETWORK, VOLUME = "GET /images/nginx/json", "GET /networks/front", "GET /volumes/pages"
BIND = {"Type": "bind", "Source": "/srv/pages"}
WEB = Wanted(
    images=("nginx",), networks=("front",), volumes=("pages",), data="/srv/pages", project="shop"
)
LINK = "etc/systemd/system/sockets.target.wants/podman.socket"
UNIT = "[Socket]\nListenStream=/run/podman/podman.sock\n[Install]\nWantedBy=sockets.target\n"


@pytest.fixture
def engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Daemon]]:
    """Both engines, installed and enabled, with nothing in them."""
    found = {name: Daemon(str(tmp_path / f"{name}.sock")) for name in (DOCKER, PODMAN)}
    monkeypatch.setattr(engine_choice, "installed", lambda root="": [DOCKER, PODMAN])
    monkeypatch.setattr(systemctl, "is_enabled", lambda unit, root="": True)
    monkeypatch.setattr(engine_choice, "socket_of", lambda name: found[name].server_address)
    for each in found.values():
        answers(each)
        threading.Thread(target=each.serve_forever, args=(0.01,), daemon=True).start()
    yield found
    for each in found.values():
        each.shutdown()
        each.server_close()


def has(daemon: Daemon, *asked: str) -> None:
    daemon.answers |= {each: (200, json.dumps({"Id": "1"}).encode()) for each in asked}


@pytest.mark.parametrize(
    ("in_docker", "in_podman", "engine", "why"),
    [
        ([], [], PODMAN, "docker is installed, too"),
        ([IMAGE], [], DOCKER, "docker has image nginx, and podman has not"),
        ([IMAGE], [IMAGE], PODMAN, "docker is installed, too"),
        ([], [IMAGE], PODMAN, "docker is installed, too"),
        ([NETWORK], [IMAGE], DOCKER, "docker has network front, and podman has not"),
        ([VOLUME], [IMAGE], DOCKER, "docker has volume pages, and podman has not"),
        ([IMAGE, NETWORK, VOLUME], [IMAGE, NETWORK, VOLUME], PODMAN, "docker is installed, too"),
    ],
)
def test_docker_where_it_alone_has_what_is_named(
    engines: dict[str, Daemon], in_docker: list[str], in_podman: list[str], engine: str, why: str
) -> None:
    has(engines[DOCKER], *in_docker)
    has(engines[PODMAN], *in_podman)
    choice = choose(WEB)
    assert choice.engine == engine and choice.why.startswith(why)


@pytest.mark.parametrize("what", ["containers", "networks", "volumes"])
def test_docker_where_it_has_something_of_the_project(
    engines: dict[str, Daemon], what: str
) -> None:
    answers(engines[DOCKER], **{what: [thing("shop-web-1", {})]})
    assert choose(WEB) == (DOCKER, f"docker has {what} of the project 'shop'")
    assert choose(replace(WEB, project="")).engine == PODMAN, "it asks for no project"


def test_docker_where_its_container_mounts_the_data(engines: dict[str, Daemon]) -> None:
    web = replace(WEB, project="")
    answers(engines[DOCKER], [thing("old", {}, Mounts=[BIND])])
    assert choose(web) == (DOCKER, "docker's container old mounts /srv/pages")
    answers(engines[DOCKER], [thing("watch", {}, Mounts=[{**BIND, "Source": "/"}])])
    assert choose(web).engine == PODMAN, "it mounts all there is"
    volume = {"Name": "pages", "Options": {"device": "/srv/pages", "o": "bind"}}
    mount = {"Type": "volume", "Name": "pages", "Source": "/var/lib/docker/volumes/pages/_data"}
    answers(engines[DOCKER], [thing("old", {}, Mounts=[mount])], volumes=[volume])
    assert choose(web) == (DOCKER, "docker's container old mounts /srv/pages")


def test_an_engine_that_does_not_answer_is_not_chosen(engines: dict[str, Daemon]) -> None:
    engines[PODMAN].answers["GET /images/nginx/json"] = 500, b'{"message":"no room"}'
    has(engines[DOCKER], IMAGE)
    assert choose(WEB).engine == DOCKER
    engines[DOCKER].shutdown()
    engines[DOCKER].server_close()
    assert choose(replace(WEB, project="")) == (
        PODMAN,
        "docker is installed, too, and does not answer",
    )
    assert choose(WEB) == (DOCKER, "docker does not answer, and may have volumes of the project")
    engines[PODMAN].shutdown()
    engines[PODMAN].server_close()
    assert choose(replace(WEB, project="")).why.startswith("podman does not answer at ")


def tree_with(root: Path, *files: str) -> str:
    for name in files:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name == LINK:
            path.symlink_to("/usr/lib/systemd/system/podman.socket")
        else:
            path.write_text(UNIT)
    return str(root)


@pytest.mark.parametrize(
    ("files", "wanted", "engine", "why"),
    [
        ([], Wanted(), DOCKER, ""),
        (["usr/bin/podman"], Wanted(), PODMAN, ""),
        (["usr/sbin/dockerd"], Wanted(), DOCKER, ""),
        (["usr/sbin/dockerd", "usr/bin/podman"], Wanted(), DOCKER, "podman.socket is not enabled"),
        (["ENABLED"], Wanted(), PODMAN, "docker is installed, too"),
        (["ENABLED"], Wanted(bridges=True), DOCKER, "podman's networks need nftables"),
        (["ENABLED", "usr/sbin/nft"], Wanted(bridges=True), PODMAN, "docker is installed, too"),
        (["ENABLED"], Wanted(resolves=True), DOCKER, "podman needs aardvark-dns"),
        (["ENABLED"], Wanted(only_docker="it has X"), DOCKER, "it has X, which podman does not"),
    ],
)
def test_in_a_tree_its_files_decide(
    tmp_path: Path, files: list[str], wanted: Wanted, engine: str, why: str
) -> None:
    both = ["usr/sbin/dockerd", "usr/bin/podman", "usr/lib/systemd/system/podman.socket", LINK]
    root = tree_with(tmp_path, *files[1:], *(both if files[:1] == ["ENABLED"] else files[:1]))
    choice = choose(wanted, root)
    assert choice.engine == engine and choice.why.startswith(why) and bool(choice.why) == bool(why)


@pytest.mark.parametrize(
    ("service", "said"),
    [
        ({}, ""),
        ({"healthcheck": {"interval": "2s"}, "logging": {"driver": "journald"}}, ""),
        ({"healthcheck": {"start_interval": "1s"}}, "start_interval in its healthcheck"),
        ({"logging": {"driver": "gelf"}}, "logging driver gelf"),
        ({"runtime": "nvidia"}, "runtime nvidia"),
        (
            {"deploy": {"resources": {"reservations": {"devices": [{"count": 1}]}}}},
            "a GPU or another reserved device",
        ),
        ({"volumes": [{"source": "/var/run/docker.sock"}]}, "docker's socket"),
    ],
)
def test_what_podman_does_not_do_is_known(service: dict[str, object], said: str) -> None:
    project = ComposeProject("/srv/shop", (), (), {"name": "shop", "services": {"web": service}})
    assert compose_limits.only_docker(project) == (f"service 'web' has {said}" if said else "")
    of_others = {"name": "shop", "services": {}, "networks": {"far": {"driver": "overlay"}}}
    project = ComposeProject("/srv/shop", (), (), of_others)
    assert compose_limits.only_docker(project) == "network 'far' has driver overlay"


def test_of_a_project_all_is_asked_for_that_compose_names() -> None:
    config = {
        "name": "shop",
        "services": {
            "web": {"image": "nginx", "networks": {"default": None}},
            "db": {"build": {"context": "."}, "network_mode": "none"},
        },
        "networks": {"default": {"name": "shop_default"}, "front": {"external": True}},
        "volumes": {"pages": {"name": "shop_pages"}},
    }
    assert engine_choice.of_project(ComposeProject("/srv/shop", (), (), config)) == Wanted(
        images=("nginx", "shop-db"),
        networks=("front",),
        volumes=("shop_pages",),
        project="shop",
        bridges=True,
    )


@pytest.mark.parametrize(
    ("image", "full"),
    [
        ("postgres:18", "docker.io/library/postgres:18"),
        ("traefik/whoami", "docker.io/traefik/whoami"),
        ("localhost/notes:1", ""),
        ("quay.io/podman/hello", ""),
        ("registry:5000/notes", ""),
    ],
)
def test_a_short_name_is_docker_hubs(image: str, full: str) -> None:
    assert in_docker_hub(image) == full
