"""What is shown instead of done, and what is said for programs."""

import json
import os
import re

import pytest

from tree import SOCKWAKE, Tree, run

OPTIONS = ["--idle", "1h", "--set", "log_line_prefix=%m $x ", "--listen", "::1", "--db-user", "ä b"]


def test_a_dry_run_shows_what_would_be_written_and_writes_nothing(tree: Tree) -> None:
    before = tree.snapshot()
    shown = json.loads(
        tree.sockwake("new", "pg1", "--version", "18", "--dry-run", "--json", *OPTIONS).stdout
    )
    assert tree.added_to(before) == []
    tree.new("pg1", *OPTIONS)
    written = {
        f"{tree}/{path}": tree.snapshot()[path]
        for path in tree.added_to(before)
        if path.startswith("etc/sockwake/pg1/")
    }
    assert {
        path: (int(file["mode"], 8), file["content"]) for path, file in shown["files"].items()
    } == written


def test_a_dry_run_for_people_shows_the_same(tree: Tree) -> None:
    before = tree.snapshot()
    ran = tree.sockwake("new", "pg1", "--version", "18", "--dry-run", "--enable", *OPTIONS)
    words = ("pg1", "--version", "18", "--dry-run", "--json", "--enable", *OPTIONS)
    files = json.loads(tree.sockwake("new", *words).stdout)["files"]
    assert (ran.status, ran.stderr) == (0, "")
    assert ran.stdout == "".join(
        f"# {path} ({file['mode']})\n{file['content']}\n" for path, file in files.items()
    ) + (f"$ systemctl --root={tree} enable pg-proxy@pg1.socket\n")
    assert tree.added_to(before) == []


def test_a_dry_run_on_this_machine_shows_the_commands_and_no_password() -> None:
    ran = run(
        *SOCKWAKE,
        "new",
        "pure-dry-run",
        "--version",
        "17",
        "--image",
        "my/pg:17",
        "--engine",
        "docker",
        "--enable",
        "--dry-run",
        "--json",
    )
    shown = json.loads(ran.stdout)
    assert shown["files"]["/etc/sockwake/pure-dry-run/password"] == {
        "mode": "0600",
        "content": "(secret)\n",
    }
    assert [re.sub(" +#.*", "", command) for command in shown["commands"]] == [
        "docker pull my/pg:17",
        "docker-compose --project-name sockwake-pure-dry-run create",
        "systemctl enable --now pg-proxy@pure-dry-run.socket",
    ]


def test_a_dry_run_of_what_crun_wakes_asks_no_engine_that_is_not_there() -> None:
    options = ["--version", "18", "--runtime", "crun", "--dry-run", "--json"]
    shown = json.loads(run(*SOCKWAKE, "new", "pure-dry-run", *options).stdout)
    assert "RUNTIME=crun\n" in shown["files"]["/etc/sockwake/pure-dry-run/instance.env"]["content"]
    words = [command.split()[:2] for command in shown["commands"]]
    engine = os.path.exists("/run/docker.sock")
    assert words == [
        ["docker-compose", "--project-name"],
        *([["docker", "pull"], ["docker", "save"]] if engine else []),
        ["skopeo", "copy"],
        ["umoci", "raw"],
        ["crun", "run"],
        ["systemctl", "daemon-reload"],
        ["systemctl", "start"],
        ["systemctl", "stop"],
    ]
    assert ("docker://postgres:18" in shown["commands"][1]) != engine


def test_a_dry_run_adopts_like_a_real_one(tree: Tree) -> None:
    tree.write_cluster("/srv/pg/18/docker", "18")
    shown = json.loads(
        tree.sockwake(
            "new", "pg1", "--version", "18", "--dry-run", "--json", "--data", "/srv/pg"
        ).stdout
    )
    assert f"{tree}/etc/sockwake/pg1/uninitialised" not in shown["files"]


def test_files_end_with_one_line_end(tree: Tree) -> None:
    tree.new("pg1")
    texts = [
        content
        for path, (_, content) in tree.snapshot().items()
        if path.startswith("etc/sockwake/pg1/")
    ]
    assert len(texts) == 3 and all(
        text.endswith("\n") and not text.endswith("\n\n") for text in texts
    )


@pytest.mark.parametrize("verb", ["", "new", "ls", "runtime", "rm", "compose"])
def test_help_goes_to_stdout_and_names_the_manual(verb: str) -> None:
    ran = run(*SOCKWAKE, *verb.split(), "--help")
    assert (ran.status, ran.stderr) == (0, "")
    assert ran.stdout.startswith("usage: sockwake") and re.search(
        r"See\s+sockwake(-new)?\(8\)", ran.stdout
    )
    assert "%(" not in ran.stdout
