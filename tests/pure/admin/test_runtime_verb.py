"""sockwake runtime, on a tree: what it shows, what it writes, and what it refuses."""

import json
import shutil
from pathlib import Path

import pytest

from env_file import COMMAND, CONTAINER, PROJECT, env, text_of
from sockwake.admin.change import move, runtimes
from sockwake.errors import FAILED, UNKNOWN, USAGE, SockwakeError
from tree import Ran, Tree

COMPOSE = """\
services:
  postgres:
    image: ${IMAGE}
    network_mode: NETWORK
"""


COMPOSE_THERE_IS = pytest.mark.skipif(
    not shutil.which("docker-compose"), reason="docker-compose is not installed"
)


def refuses(ran: Ran, status: int, text: str) -> None:
    assert (ran.status, ran.stdout) == (status, "") and text in ran.stderr, ran


def made(tree: Tree, name: str, network: str, **changed: str) -> Path:
    """An instance with a compose.yaml; its instance.env."""
    instance = tree.write_env(name, env(**changed))
    Path(instance.compose_file).write_text(COMPOSE.replace("NETWORK", network))
    return Path(instance.env_file)


@COMPOSE_THERE_IS
def test_what_wakes_each_instance_is_shown_with_the_reason(tree: Tree) -> None:
    made(tree, "plain", "none")
    made(tree, "moved", "none", RUNTIME="crun")
    made(tree, "bridge", "front", ENGINE="podman")
    made(tree, "tls", "host", TLS="yes")
    web = tree.write_env("web", text_of(CONTAINER))
    Path(web.compose_file).write_text(COMPOSE.replace("NETWORK", "none"))
    tree.write_env("shop", text_of(PROJECT))
    tree.write_env("files", text_of(COMMAND))
    rows = {row["name"]: row for row in json.loads(tree.sockwake("runtime", "--json").stdout)}
    assert {name: (row["runtime"], row["engine"]) for name, row in rows.items()} == {
        "plain": ("engine", "docker"),
        "moved": ("crun", None),
        "bridge": ("engine", "podman"),
        "tls": ("engine", "docker"),
        "web": ("engine", "docker"),
        "shop": ("engine", "docker"),
        "files": ("systemd", None),
    }
    way = "crun can wake it, too (sockwake runtime --root {} {} crun)"
    assert rows["plain"]["reason"].endswith(way.format(tree, "plain"))
    assert rows["bridge"]["reason"].startswith("its network is a bridge")
    assert rows["tls"]["reason"].startswith("with TLS its network has to be its own")
    assert rows["web"]["reason"].endswith(way.format(tree, "web"))
    assert rows["shop"]["reason"] == "it is a compose project"
    assert rows["moved"]["reason"] is rows["files"]["reason"] is None
    shown = tree.sockwake("runtime", "bridge", "shop").stdout.splitlines()
    assert shown[0] == "NAME    RUNTIME  WHY"
    assert shown[2] == "shop    docker   it is a compose project"
    for name, row in rows.items():
        status = json.loads(tree.sockwake("status", name, "--json").stdout)
        assert {key: status[key] for key in ("runtime", "engine", "image_digest")} == {
            key: row[key] for key in ("runtime", "engine", "image_digest")
        }
        assert status["runtime_reason"] == row["reason"]
    assert (
        "\n  runtime     podman: its network is a bridge"
        in tree.sockwake("status", "bridge").stdout
    )
    listed = json.loads(tree.sockwake("ls", "--json").stdout)
    assert {row["name"]: row["runtime"] for row in listed} == {
        name: row["runtime"] for name, row in rows.items()
    }


def test_of_a_compose_file_that_cannot_be_read_the_reason_is_not_known(tree: Tree) -> None:
    made(tree, "plain", "[")
    status = json.loads(tree.sockwake("status", "plain", "--json").stdout)
    assert status["runtime_reason"].startswith("whether crun can wake it is not known: /")
    refuses(tree.sockwake("runtime", "plain", "crun"), FAILED, "compose.yaml")
    assert "RUNTIME" not in Path(tree.instance("plain").env_file).read_text()


@COMPOSE_THERE_IS
def test_in_a_tree_only_the_line_is_written(tree: Tree) -> None:
    path = made(tree, "pg1", "none")
    path.write_text(f"# mine\n{path.read_text()}\n# at the end")
    path.chmod(0o640)
    before = path.read_text()
    assert tree.sockwake("runtime", "pg1", "crun").status == 0
    assert path.read_text() == before.replace("KIND=postgres\n", "KIND=postgres\nRUNTIME=crun\n")
    assert path.stat().st_mode & 0o777 == 0o640
    assert tree.sockwake("runtime", "--all", "engine").status == 0
    assert path.read_text() == before.replace("KIND=postgres\n", "KIND=postgres\nRUNTIME=engine\n")
    assert tree.sockwake("runtime", "pg1", "engine").stdout == "pg1 is woken by docker already.\n"


@COMPOSE_THERE_IS
def test_what_cannot_be_moved_is_one_sentence_and_stays_as_it_is(tree: Tree) -> None:
    made(tree, "bridge", "front")
    tree.write_env("shop", text_of(PROJECT))
    tree.write_env("files", text_of(COMMAND))
    before = tree.snapshot()
    refuses(tree.sockwake("runtime", "bridge", "crun"), FAILED, "its network is a bridge")
    refuses(tree.sockwake("runtime", "shop", "crun"), FAILED, "it is a compose project")
    refuses(tree.sockwake("runtime", "files", "crun"), FAILED, "which systemd itself wakes")
    refuses(tree.sockwake("runtime", "none", "crun"), UNKNOWN, "there is no instance 'none'")
    refuses(tree.sockwake("runtime", "none"), UNKNOWN, "there is no instance 'none'")
    refuses(tree.sockwake("runtime", "--all", "shop", "crun"), USAGE, "--all and names exclude")
    refuses(tree.sockwake("runtime", "Web", "crun"), USAGE, "instance name 'Web' is not valid")
    assert tree.added_to(before) == []
    ran = tree.sockwake("runtime", "--all", "crun")
    assert ran.status == 0 and "shop: crun cannot wake it" in ran.stderr
    assert tree.added_to(before) == []


@COMPOSE_THERE_IS
def test_one_that_cannot_be_moved_keeps_no_other_from_it(tree: Tree) -> None:
    bridge, plain = made(tree, "bridge", "front"), made(tree, "plain", "none")
    ran = tree.sockwake("runtime", "bridge", "plain", "crun")
    assert ran.status == FAILED and "bridge: crun cannot wake it: its network" in ran.stderr
    assert "RUNTIME" not in bridge.read_text() and "RUNTIME=crun\n" in plain.read_text()


@COMPOSE_THERE_IS
def test_one_that_is_broken_keeps_no_other_from_being_told(tree: Tree) -> None:
    made(tree, "bridge", "front")
    made(tree, "plain", "none")
    tree.write_env("x", "PORT=x")
    ran = tree.sockwake("runtime", "x", "none", "bridge")
    assert ran.status == UNKNOWN and ran.stdout.splitlines()[1].startswith("bridge  docker"), ran
    for words in (("x", "bridge"), ("x", "bridge", "plain", "crun")):
        ran = tree.sockwake("runtime", "--json", *words)
        assert ran.status == FAILED and ran.stderr.count("sockwake: x: /") == 1, ran
        rows = {row["name"]: row["runtime"] for row in json.loads(ran.stdout)}
        assert rows == {"bridge": "engine"} | ({"plain": "crun"} if "plain" in words else {})


@pytest.mark.parametrize(
    ("words", "all_of_them", "names", "runtime"),
    [
        (["pg1"], False, ["pg1"], ""),
        (["pg1", "pg2", "crun"], False, ["pg1", "pg2"], "crun"),
        (["engine"], False, ["engine"], ""),
        (["crun", "engine"], False, ["crun"], "engine"),
        (["pg1", "pg1", "engine"], False, ["pg1"], "engine"),
        (["crun"], True, ["other", "pg1"], "crun"),
        ([], True, ["other", "pg1"], ""),
        ([], False, ["other", "pg1"], ""),
    ],
)
def test_the_last_of_several_words_can_be_a_runtime(
    tree: Tree, words: list[str], all_of_them: bool, names: list[str], runtime: str
) -> None:
    for name in ("pg1", "other"):
        tree.write_env(name, env())
    found = runtimes.operands(words, all_of_them=all_of_them, root=str(tree))
    assert found == (names, runtime)


@pytest.mark.parametrize(
    "text",
    [env(), env(RUNTIME="engine"), f"# RUNTIME=crun\n\n{env()}", f"{env()}RUNTIME=engine"],
    ids=["no line", "a line", "a comment", "no newline at its end"],
)
def test_only_one_line_is_rewritten_and_can_be_taken_back(text: str) -> None:
    there = move.with_runtime(text, "crun")
    lines, before = there.splitlines(), text.splitlines()
    assert [line for line in lines if line.startswith("RUNTIME=")] == ["RUNTIME=crun"]
    assert [line for line in lines if not line.startswith("RUNTIME=")] == [
        line for line in before if not line.startswith("RUNTIME=")
    ]
    back = move.with_runtime(there, "engine" if "\nRUNTIME=engine" in text else "")
    assert back.rstrip("\n") == text.rstrip("\n")


def test_a_kind_that_has_no_choice_is_not_in_the_way_of_all(tree: Tree) -> None:
    tree.write_env("files", text_of(COMMAND))
    assert runtimes.operands(["crun"], all_of_them=True, root=str(tree)) == ([], "crun")
    with pytest.raises(SockwakeError, match="exclude each other"):
        runtimes.operands(["files", "crun"], all_of_them=True, root=str(tree))
