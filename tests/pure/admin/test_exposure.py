"""Whom an instance is open to is said aloud when it is made, and shown ever after."""

import json

import pytest

from env_file import COMMAND, CONTAINER, NATIVE, settings, text_of
from sockwake.admin.show import exposure
from tree import Tree

OPEN = (
    "it listens on {}: every machine that reaches it can try passwords, and read what is not "
    "encrypted (--tls, --allow)"
)
LOCAL = (
    "it listens on {}: every machine that reaches it can use it, and the server takes it for a "
    "client on localhost (--allow, or a password in the server)"
)
GATEWAY = (
    "it listens on 0.0.0.0: every machine that reaches it can use it, and the servers see their "
    "engine's gateway as the client (--allow, or a password in the server)"
)
BY_ITSELF = "it listens on 0.0.0.0: every machine that reaches it can use it (--allow)"
PROJECT = {"KIND": "project", "IDLE": "3min", "PROJECT": "/srv/shop"}
WEB = ("--kind", "container", "--image", "nginx", "--container-port", "80")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--listen", "0.0.0.0"), OPEN.format("0.0.0.0")),
        (
            ("--listen", "::", "--listen", "127.0.0.1", "--listen", "192.0.2.7"),
            OPEN.format("::, 192.0.2.7"),
        ),
        ((*WEB, "--listen", "192.0.2.7"), LOCAL.format("192.0.2.7")),
    ],
)
def test_beyond_the_loopback_it_is_said_on_stderr_and_shown(
    tree: Tree, options: tuple[str, ...], sentence: str
) -> None:
    version = () if "--kind" in options else ("--version", "18")
    ran = tree.sockwake("new", "pg1", *version, *options)
    assert (ran.status, ran.stderr) == (0, f"sockwake: warning: {sentence}\n")
    assert json.loads(tree.sockwake("ls", "--json").stdout)[0]["warning"] == sentence
    assert json.loads(tree.sockwake("status", "pg1", "--json").stdout)["warning"] == sentence
    assert f"  warning     {sentence}\n" in tree.sockwake("status", "pg1").stdout


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (text_of(CONTAINER, LISTEN="::"), LOCAL.format("::")),
        (text_of(COMMAND, LISTEN="0.0.0.0", BACKEND_PORT="6379"), LOCAL.format("0.0.0.0")),
        (text_of(COMMAND, LISTEN="127.0.0.1,0.0.0.0"), LOCAL.format("0.0.0.0")),
        (text_of(PROJECT, PORTS="0.0.0.0:8080=web:80,127.0.0.1:8081=web:81"), GATEWAY),
        (text_of(NATIVE, LISTEN="0.0.0.0"), BY_ITSELF),
        (text_of(COMMAND, LISTEN="0.0.0.0", ALLOW="192.0.2.0/24"), ""),
        (text_of(PROJECT, PORTS="127.0.0.1:8080=web:80,[::1]:8080=web:80"), ""),
    ],
)
def test_where_the_server_sees_its_clients_come_from_is_said(text: str, sentence: str) -> None:
    assert exposure.warning(settings(text)) == sentence


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--listen", "127.0.0.7", "--listen", "::1"),
        ("--listen", "/run/db"),
        ("--listen", "0.0.0.0", "--tls"),
        ("--listen", "0.0.0.0", "--allow", "192.0.2.0/24"),
    ],
)
def test_otherwise_there_is_nothing_to_say(tree: Tree, options: tuple[str, ...]) -> None:
    ran = tree.sockwake("new", "pg1", "--version", "18", *options)
    assert (ran.status, ran.stderr) == (0, "")
    assert "warning" not in json.loads(tree.sockwake("ls", "--json").stdout)[0]
    assert "warning" not in tree.sockwake("status", "pg1").stdout


def test_who_asks_for_json_is_warned_too_and_who_asks_for_quiet_is_not(tree: Tree) -> None:
    ran = tree.sockwake("new", "pg1", "--version", "18", "--listen", "0.0.0.0", "--json")
    assert json.loads(ran.stdout)["warning"] in ran.stderr
    ran = tree.sockwake("new", "pg2", "--version", "18", "--listen", "0.0.0.0", "--quiet")
    assert (ran.status, ran.stdout, ran.stderr) == (0, "", "")
