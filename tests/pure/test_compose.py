"""What is laid over the administrator's compose.yaml, as compose is given it."""

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from daemon import Daemon
from test_settings import env
from tree import Tree

from sockwake.compose import Project, remove_networks, volumes
from sockwake.container import CONFIG_LABEL
from sockwake.engine import Engine, EngineError
from sockwake.errors import SockwakeError

# Knows one project, and keeps the last file that it is to make a container of.
COMPOSE = """#!/bin/sh
cd "$(dirname "$0")"
while [ $# -gt 0 ]; do
    case $1 in
        --file) file=$2 ;;
        config) exec cat config.json ;;
        create) exec cp "$file" overlay.json ;;
    esac
    shift
done
"""


class Compose:
    """A docker-compose that is found first, for one instance 'pg1'."""

    def __init__(self, directory: Path, tree: Tree, daemon: Daemon) -> None:
        self.directory = directory
        (directory / "docker-compose").write_text(COMPOSE)
        (directory / "docker-compose").chmod(stat.S_IRWXU)
        daemon.answers["GET /images/postgres:18/json"] = 200, b"{}"
        self.instance = tree.write_env("pg1", env())
        os.makedirs(self.instance.run)
        self.project = Project(self.instance, self.instance.settings(), Engine(str(daemon.server_address)))

    def defines(self, **more: object) -> Project:
        """The project, whose compose.yaml says this of its one service."""
        services = {"db": {"image": "postgres:18", **more}}
        (self.directory / "config.json").write_text(json.dumps({"services": services}))
        return self.project

    def overlay(self) -> dict[str, Any]:
        """What was laid over the service."""
        overlay: dict[str, Any] = json.loads((self.directory / "overlay.json").read_text())["services"]["db"]
        assert (overlay.pop("restart"), overlay.pop("deploy"), overlay.pop("tty")) == ("no", {"restart_policy": {"condition": "none", "max_attempts": 0}}, False)
        return overlay


@pytest.fixture
def compose(tmp_path: Path, tree: Tree, daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> Compose:
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    return Compose(tmp_path, tree, daemon)


@pytest.mark.parametrize("more", [{}, {"command": None}, {"command": ["postgres", "-c", "work_mem=9MB"]}])
def test_the_everyday_container_keeps_its_command_or_its_images(compose: Compose, more: dict[str, object]) -> None:
    """An empty list would take the image's own away."""
    compose.defines(**more).create_everyday("12-0badcafe")
    assert compose.overlay() == {"container_name": "sockwake-pg1",
                                 "labels": {CONFIG_LABEL: "12-0badcafe", "io.sockwake.instance": "pg1"}}


@pytest.mark.parametrize(("more", "command"), [
    ({}, ["-c", "ssl=off"]), ({"command": None}, ["-c", "ssl=off"]), ({"command": ["postgres"]}, ["postgres", "-c", "ssl=off"]),
])
def test_arguments_follow_what_the_command_has(compose: Compose, more: dict[str, object], command: list[str]) -> None:
    compose.defines(**more).create("sockwake-pg1_init", {"labels": {}}, ["-c", "ssl=off"])
    assert compose.overlay() == {"container_name": "sockwake-pg1_init", "labels": {}, "command": command}


def test_what_was_laid_over_does_not_stay(compose: Compose) -> None:
    compose.defines().create("sockwake-pg1", {})
    assert os.listdir(compose.instance.run) == []


def test_an_image_that_is_not_here_is_never_asked_of_a_registry(compose: Compose) -> None:
    with pytest.raises(SockwakeError, match="image other:18 is not on this machine"):
        compose.defines(image="other:18").create("sockwake-pg1", {})
    assert not (compose.directory / "overlay.json").exists()


def test_networks_go_with_the_project_but_for_those_in_use(daemon: Daemon) -> None:
    engine = Engine(str(daemon.server_address))
    daemon.answers |= {
        "GET /networks": (200, b'[{"Id": "n1"}, {"Id": "n2"}]'),
        "DELETE /networks/n1": (403, b'{"message": "network has active endpoints"}'),
        "DELETE /networks/n2": (204, b""),
    }
    remove_networks(engine, "sockwake-pg1")
    assert daemon.queries["GET /networks"] == {"filters": ['{"label": ["com.docker.compose.project=sockwake-pg1"]}']}
    assert "DELETE /networks/n2" in daemon.queries
    daemon.answers["DELETE /networks/n2"] = 500, b'{"message": "out of order"}'
    with pytest.raises(EngineError, match="out of order"):
        remove_networks(engine, "sockwake-pg1")


@pytest.mark.parametrize(("answer", "names"), [(b'{"Volumes": null}', []), (b'{"Volumes": [{"Name": "sockwake-pg1_x"}]}', ["sockwake-pg1_x"])])
def test_volumes_are_those_of_the_project(daemon: Daemon, answer: bytes, names: list[str]) -> None:
    engine = Engine(str(daemon.server_address))
    daemon.answers["GET /volumes"] = 200, answer
    assert volumes(engine, "sockwake-pg1") == names
    assert daemon.queries["GET /volumes"] == {"filters": ['{"label": ["com.docker.compose.project=sockwake-pg1"]}']}
