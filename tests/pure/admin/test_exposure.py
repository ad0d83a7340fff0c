"""Whom an instance is open to is said aloud when it is made, and shown ever after."""

import json

import pytest

from tree import Tree

OPEN = (
    "it listens on {}: every machine that reaches it can try passwords, and read what is not "
    "encrypted (--tls, --allow)"
)
WEB = ("--kind", "container", "--image", "nginx", "--container-port", "80")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--listen", "0.0.0.0"), OPEN.format("0.0.0.0")),
        (
            ("--listen", "::", "--listen", "127.0.0.1", "--listen", "192.0.2.7"),
            OPEN.format("::, 192.0.2.7"),
        ),
        (
            (*WEB, "--listen", "192.0.2.7"),
            "it listens on 192.0.2.7: every machine that reaches it can use it (--allow)",
        ),
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
