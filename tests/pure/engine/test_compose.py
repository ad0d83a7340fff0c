"""The overlay of the administrator's compose.yaml, as compose gets it."""

import importlib
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from daemon import Daemon
from engine_lists import OURS, PROJECT, answers, thing
from env_file import CONTAINER, env, text_of
from sockwake.config import settings
from sockwake.engine.api import Engine
from sockwake.engine.compose import Project
from sockwake.engine.container import CONFIG_LABEL
from sockwake.errors import SockwakeError
from tree import Tree

RESET = "taken away"
yaml: Any = importlib.import_module("yaml")  # Debian has no type stubs for it

# has one project, and keeps the last file that it gets for `create`
COMPOSE = """#!/bin/sh
cd "$(dirname "$0")"
while [ $# -gt 0 ]; do
    case $1 in
        --file) file=$2 ;;
        config) exec cat config.json ;;
        create) exec cp "$file" overlay.yaml ;;
    esac
    shift
done
"""


class WithReset(yaml.SafeLoader):  # type: ignore[misc]
    """YAML with compose's tag that removes a key of the first file."""


WithReset.add_constructor("!reset", lambda _loader, _node: RESET)


class Compose:
    """A docker-compose that is first in PATH, for one instance 'pg1'."""

    def __init__(self, directory: Path, tree: Tree, daemon: Daemon) -> None:
        self.directory = directory
        (directory / "docker-compose").write_text(COMPOSE)
        (directory / "docker-compose").chmod(stat.S_IRWXU)
        daemon.answers["GET /images/postgres:18/json"] = 200, b"{}"
        daemon.answers |= {
            "GET /containers/json": (200, b"[]"),
            "GET /networks": (200, b"[]"),
            "GET /volumes": (200, b'{"Volumes": null}'),
        }
        self.instance = tree.write_env("pg1", env())
        os.makedirs(self.instance.run)
        self.project = Project(
            self.instance, settings.load(self.instance), Engine(str(daemon.server_address))
        )

    def defines(self, **more: object) -> Project:
        """The project, with a compose.yaml of one service with these keys."""
        services = {"db": {"image": "postgres:18", **more}}
        (self.directory / "config.json").write_text(json.dumps({"services": services}))
        return self.project

    def file(self) -> dict[str, Any]:
        """The file that compose got beside the administrator's."""
        file: dict[str, Any] = yaml.load(
            (self.directory / "overlay.yaml").read_text(), Loader=WithReset
        )
        return file

    def overlay(self) -> dict[str, Any]:
        """The keys laid over the service, but those that every service gets."""
        overlay: dict[str, Any] = self.file()["services"]["db"]
        assert overlay.pop("init", None) == (False if self.project.settings.has_cluster else None)
        assert (overlay.pop("restart"), overlay.pop("deploy"), overlay.pop("tty")) == (
            "no",
            {"restart_policy": {"condition": "none", "max_attempts": 0}},
            False,
        )
        return overlay


@pytest.fixture
def compose(tmp_path: Path, tree: Tree, daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> Compose:
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    return Compose(tmp_path, tree, daemon)


@pytest.mark.parametrize(
    "more", [{}, {"command": None}, {"command": ["postgres", "-c", "work_mem=9MB"]}]
)
def test_the_everyday_container_keeps_its_command_or_its_images(
    compose: Compose, more: dict[str, object]
) -> None:
    """An empty list would take the image's own away."""
    compose.defines(**more).create_everyday("12-0badcafe")
    assert compose.overlay() == {
        "container_name": "sockwake-pg1",
        "labels": {CONFIG_LABEL: "12-0badcafe", "io.sockwake.instance": "pg1"},
    }


@pytest.mark.parametrize(
    ("more", "command"),
    [
        ({}, ["-c", "ssl=off"]),
        ({"command": None}, ["-c", "ssl=off"]),
        ({"command": ["postgres"]}, ["postgres", "-c", "ssl=off"]),
    ],
)
def test_arguments_follow_what_the_command_has(
    compose: Compose, more: dict[str, object], command: list[str]
) -> None:
    compose.defines(**more).create("sockwake-pg1_init", {"labels": {"mine": ""}}, ["-c", "ssl=off"])
    assert compose.overlay() == {
        "container_name": "sockwake-pg1_init",
        "labels": {"mine": ""},
        "command": command,
    }


def test_a_file_that_asks_for_an_init_is_no_place_for_a_postgresql(compose: Compose) -> None:
    with pytest.raises(SockwakeError, match="has to be the container's process 1") as refused:
        compose.defines(init=True).create_everyday("12-0badcafe")
    assert refused.value.hint == "compose.yaml must not say init: true"


def test_the_overlay_is_removed_afterwards(compose: Compose) -> None:
    compose.defines().create("sockwake-pg1", {})
    assert os.listdir(compose.instance.run) == []


def test_a_missing_image_is_never_asked_of_a_registry(compose: Compose) -> None:
    with pytest.raises(SockwakeError, match="image other:18 is not on this machine"):
        compose.defines(image="other:18").create("sockwake-pg1", {})
    assert not (compose.directory / "overlay.yaml").exists()


def test_a_wake_replaces_no_container_of_another_owner(compose: Compose, daemon: Daemon) -> None:
    """docker-compose create --force-recreate would delete it, if its project has the name."""
    answers(daemon, [thing("sockwake-pg1-db-1", PROJECT)])
    with pytest.raises(
        SockwakeError, match="there is a container sockwake-pg1-db-1 that is not of instance 'pg1'"
    ):
        compose.defines().create_everyday("12-0badcafe")
    assert not os.path.exists(compose.directory / "overlay.yaml")


def test_every_network_volume_and_container_gets_the_label(compose: Compose) -> None:
    networks = {
        "default": {"name": "sockwake-pg1_default"},
        "ext": {"name": "ext", "external": True},
    }
    config = {
        "services": {"db": {"image": "postgres:18"}},
        "networks": networks,
        "volumes": {"pages": {"name": "pages"}},
    }
    (compose.directory / "config.json").write_text(json.dumps(config))
    compose.project.create("sockwake-pg1_init", {})
    said = compose.file()
    labels = {"labels": OURS}
    assert (said["networks"], said["volumes"]) == ({"default": labels}, {"pages": labels})
    assert said["services"]["db"]["labels"] == OURS


def test_a_service_that_is_no_database_publishes_nothing_and_depends_on_nothing(
    compose: Compose, tree: Tree
) -> None:
    Path(compose.instance.env_file).write_text(text_of(CONTAINER))
    engine = compose.project.engine
    service = Project(compose.instance, settings.load(compose.instance), engine)
    compose.project = service
    compose.defines(ports=["80:80"], depends_on=["other"], init=True)
    service.create("sockwake-pg1", {"labels": {"mine": "it's “true”: yes # no"}})
    assert compose.overlay() == {
        "container_name": "sockwake-pg1",
        "labels": {"mine": "it's “true”: yes # no"},
        "depends_on": RESET,
        "ports": RESET,
    }
