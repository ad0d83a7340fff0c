"""Bad usage, and what is taken or may not be written: status, words on stderr, nothing written."""

import os
import subprocess
import tempfile
from pathlib import Path

import pytest
from refusals import NAME_RULE, NEW_HELP, NO_PORT, brief, command, told

from env_file import env
from fault import undisturbed
from sockwake.errors import EXISTS, FAILED, UNKNOWN, USAGE
from tree import SOCKWAKE, Tree, run

NOT_A_USERS = "on the machine's instances, and on no user's own (--user)"


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        ([], "the following arguments are required: COMMAND", "sockwake --help"),
        (["new", "--version", "18"], "the following arguments are required: NAME", NEW_HELP),
        (["new", "pg1"], "--version is missing", "sockwake-new NAME --version 18"),
        (["rm"], "say which instances", "sockwake ls lists them"),
        (["rename"], "the following arguments are required: NAME, NEW", "sockwake rename --help"),
        (
            ["compose", "My_App", "ps"],
            f"instance name 'My_App' is not valid: {NAME_RULE}",
            "as in my-app",
        ),
        (["rm", "a", "--force"], "unrecognized arguments: --force", "sockwake rm --help"),
        (["ls", "--purge"], "unrecognized arguments: --purge", "sockwake ls --help"),
        (["upgrade", "--user", "a"], f"'sockwake upgrade' works {NOT_A_USERS}", ""),
        (["upgrade", "a", "--version=18", "--user"], f"'sockwake upgrade' works {NOT_A_USERS}", ""),
        (["ls", "--root", "/nonexistent"], "there is no directory '/nonexistent'", ""),
        (["ls", "--root", ""], "the value of --root is empty", ""),
        (["rm", "pg1", "--root", ""], "the value of --root is empty", ""),
        (["new", "pg1", "--version", "18", "--root", ""], "the value of --root is empty", ""),
        (
            ["new", "pg1", "--version", "18", "--root", "/etc/passwd"],
            "there is no directory '/etc/passwd'",
            "",
        ),
    ],
    ids=brief,
)
def test_bad_usage_looks_like_every_other_error(
    arguments: list[str], message: str, hint: str
) -> None:
    ran = run(*SOCKWAKE, *arguments)
    assert (ran.status, ran.stdout, ran.stderr) == (USAGE, "", told(message, hint))


def test_compose_wants_a_name() -> None:
    ran = run(*SOCKWAKE, "compose")
    assert (ran.status, ran.stdout) == (USAGE, "")
    assert ran.stderr.startswith("sockwake: error: the following arguments are required: NAME")
    assert ran.stderr.endswith("(hint: sockwake compose --help)\n")


def test_an_unknown_verb_is_named_with_those_there_are() -> None:
    ran = run(*SOCKWAKE, "begin", "pg1")
    assert (ran.status, ran.stdout) == (USAGE, "")
    assert ran.stderr.startswith(
        "sockwake: error: argument COMMAND: invalid choice: 'begin' (choose from "
    )
    assert ran.stderr.endswith("(hint: sockwake --help)\n")


def test_the_other_spelling_has_the_same_errors(tree: Tree) -> None:
    before = tree.snapshot()
    ran = run(
        SOCKWAKE[0], "-I", f"{SOCKWAKE[2]}-new", "My_App", "--version", "18", "--root", str(tree)
    )
    assert (ran.status, ran.stdout, ran.stderr) == (
        USAGE,
        "",
        told(f"instance name 'My_App' is not valid: {NAME_RULE}", "as in my-app"),
    )
    assert tree.added_to(before) == []


@pytest.mark.parametrize(
    ("options", "status", "message", "hint"),
    [
        (
            ["shop"],
            EXISTS,
            "instance 'shop' exists already",
            "sockwake rm --root {tree} shop removes it",
        ),
        (
            ["pg1", "--port", "25432"],
            EXISTS,
            "port 25432 is already claimed by instance 'shop'",
            NO_PORT,
        ),
        (
            ["pg1", "--port", "5432"],
            EXISTS,
            "port 5432 is already claimed by the PostgreSQL cluster 17/main",
            NO_PORT,
        ),
        (
            ["pg1", "--data", "/srv/full"],
            FAILED,
            "data directory {tree}/srv/full is not empty and holds no cluster of PostgreSQL 18",
            "empty it, or choose another with --data",
        ),
        (
            ["pg1", "--data", "/srv/17"],
            FAILED,
            "data directory {tree}/srv/17 is not empty and holds no cluster of PostgreSQL 18",
            "empty it, or choose another with --data",
        ),
        (["pg1", "--data", "/srv/file"], FAILED, "{tree}/srv/file is not a directory", ""),
        (
            ["pg1", "--data", "/srv/shop"],
            EXISTS,
            "data directory {tree}/srv/shop belongs to instance 'shop'",
            "choose another with --data",
        ),
        (
            ["file"],
            EXISTS,
            "{tree}/etc/sockwake/file is in the way",
            "move it away; sockwake has not made it",
        ),
    ],
    ids=brief,
)
@pytest.mark.parametrize("dry", [[], ["--dry-run"]], ids=["real", "dry"])
def test_new_refuses_what_is_taken(
    tree: Tree, options: list[str], status: int, message: str, hint: str, dry: list[str]
) -> None:
    tree.write_env("shop", env(DATA="/srv/shop"))
    (tree.path / "etc/sockwake/file").write_text("")
    tree.write_cluster("/etc/postgresql/17/main", "")
    (tree.path / "etc/postgresql/17/main/postgresql.conf").write_text("port = 5432\n")
    tree.write_cluster("/srv/17", "17")
    tree.write_cluster("/srv/full/something", "")
    (tree.path / "srv/file").write_text("")
    before = tree.snapshot()
    ended = undisturbed(command(tree, "new", "--version", "18", *options, *dry))
    assert (ended.status, ended.stdout, ended.stderr) == (
        status,
        "",
        told(message.format(tree=tree), hint.format(tree=tree)),
    )
    assert tree.added_to(before) == []


def test_new_refuses_a_cluster_of_another_version(tree: Tree) -> None:
    tree.write_cluster("/srv/pg", "16")
    before = tree.snapshot()
    ended = undisturbed(command(tree, "new", "pg1", "--version", "17", "--data", "/srv/pg"))
    assert (ended.status, ended.stdout) == (FAILED, "")
    assert ended.stderr == told(
        f"{tree}/srv/pg is a cluster of PostgreSQL 16, not 17",
        "--version 16 adopts it; pg_upgrade makes it 17",
    )
    assert tree.added_to(before) == []


def test_new_refuses_a_cluster_that_may_be_running(tree: Tree) -> None:
    tree.write_cluster("/srv/pg", "17")
    (tree.path / "srv/pg/postmaster.pid").write_text("1\n")
    before = tree.snapshot()
    ended = undisturbed(command(tree, "new", "pg1", "--version", "17", "--data", "/srv/pg"))
    assert (ended.status, ended.stdout) == (FAILED, "")
    assert (
        f"{tree}/srv/pg has a postmaster.pid: a server is running on it, or did not stop cleanly\n"
        in ended.stderr
    )
    assert tree.added_to(before) == []


@pytest.mark.parametrize("so_does_disabling", [False, True])
def test_an_enabling_that_fails_leaves_nothing(tree: Tree, so_does_disabling: bool) -> None:
    if so_does_disabling:
        (tree.path / "etc/systemd").write_text("not a directory")
    else:
        (tree.path / "usr/lib/systemd/system/pg-proxy@.socket").unlink()
    before = tree.snapshot()
    ran = tree.sockwake("new", "pg1", "--version", "18", "--enable")
    assert (ran.status, ran.stdout) == (FAILED, "")
    enable = f"systemctl --root={tree} --quiet enable pg-proxy@pg1.socket"
    assert ran.stderr.startswith(f"sockwake: error: '{enable}' failed with status 1: ")
    assert tree.added_to(before) == []


@pytest.mark.parametrize("options", [[], ["--purge"]])
def test_rm_of_nothing_says_so(tree: Tree, options: list[str]) -> None:
    before = tree.snapshot()
    ended = undisturbed(command(tree, "rm", "pg1", *options))
    assert (ended.status, ended.stdout) == (UNKNOWN, "")
    assert ended.stderr == told(
        "there is no instance 'pg1'", f"sockwake ls --root {tree} shows those there are"
    )
    assert tree.added_to(before) == []


@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.parametrize("arguments", [["new", "pg1", "--version", "18"], ["rm", "pg1"]])
def test_without_permission_to_write_the_hint_names_root(
    arguments: list[str], exists: bool
) -> None:
    uid = 65534 if os.getuid() == 0 else os.getuid()
    with tempfile.TemporaryDirectory() as base:
        tree = Tree(Path(base) / "tree")
        if exists:
            tree.write_env("pg1" if arguments[0] == "rm" else "other", env())
        for path in (Path(base), *Path(base).rglob("*")):
            path.chmod(0o555 if path.is_dir() else 0o444)
        before = tree.snapshot()
        done = subprocess.run(
            [*SOCKWAKE, *arguments, "--root", str(tree)],
            check=False,
            user=uid,
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        assert (done.returncode, done.stdout) == (FAILED, "")
        assert done.stderr == told(
            f"cannot {'write' if exists else 'use'} {tree}/etc/sockwake: permission denied",
            "run this as root",
        )
        assert tree.added_to(before) == []
        for path in (Path(base), *Path(base).rglob("*")):
            path.chmod(0o755)


def test_only_debug_shows_a_traceback(tree: Tree) -> None:
    plain, debug = tree.sockwake("rm", "pg1"), tree.sockwake("rm", "pg1", "--debug")
    assert "Traceback" not in plain.stderr
    assert "Traceback (most recent call last)" in debug.stderr and "in _find" in debug.stderr
    assert debug.stderr.endswith(plain.stderr) and debug.status == plain.status


def test_an_error_of_the_system_has_its_traceback_too(tree: Tree) -> None:
    (tree.path / "etc/sockwake").write_text("not a directory")
    ran = tree.sockwake("ls", "--debug")
    assert ran.status == FAILED and "NotADirectoryError" in ran.stderr
    assert ran.stderr.endswith(told(f"cannot use {tree}/etc/sockwake: not a directory", ""))
