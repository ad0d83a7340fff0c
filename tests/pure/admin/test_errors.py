"""Nothing but errors: each with its status, its words on stderr, and nothing written."""

import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from env_file import env
from fault import undisturbed
from sockwake.admin import cli
from sockwake.errors import EXISTS, FAILED, UNKNOWN, USAGE, shown
from tree import SOCKWAKE, Tree, run

NAME_RULE = "use lower-case letters, digits and '-', starting with a letter, 31 characters at most"
UNQUOTED = "has a space at an end, or one of \" ' \\ $ ` # ; or a control character"
PORT_RANGE = "is not a number from 1 to 65535"
NO_PORT = "leave out --port to take the next free one"
NO_LISTEN = "leave out --listen for 127.0.0.1"
SPAN = "write it as in 90s, 3min, 1h 30min or infinity"
VERSION = "write it as in --version 18"
GUC = "as in --set work_mem=64MB"
NEITHER = "is neither an IP address nor the absolute path of a unix socket"
NEW_HELP = "sockwake new --help"
LONG = "x" * 64
TOO_LONG = "is longer than the 63 bytes of a name in PostgreSQL"

# arguments after `sockwake new pg1 --version 18`, message, hint; all of them are bad usage
BAD_OPTIONS: list[tuple[list[str], str, str]] = [
    (["--port", "0"], f"port '0' {PORT_RANGE}", ""),
    (["--port", "65536"], f"port '65536' {PORT_RANGE}", ""),
    (["--port", "postgres"], f"port 'postgres' {PORT_RANGE}", ""),
    (["--port", ""], "the value of --port is empty", ""),
    (["--port", "-1"], f"port '-1' {PORT_RANGE}", ""),
    (["--port", "0x10"], f"port '0x10' {PORT_RANGE}", ""),
    (["--port", "9" * 5000], f"port '{'9' * 5000}' {PORT_RANGE}", ""),
    (["--listen", "localhost"], f"'localhost' {NEITHER}", NO_LISTEN),
    (["--listen", ""], "the value of --listen is empty", ""),
    (["--listen", "127.0.0.1:5432"], "'127.0.0.1:5432' is not an IP address", NO_LISTEN),
    (["--listen", "1.2.3"], "'1.2.3' is not an IP address", NO_LISTEN),
    (["--listen", "127.0.0.1,::1"], f"'127.0.0.1,::1' {NEITHER}", NO_LISTEN),
    (["--listen", "::1", "--listen", "run/db"], f"'run/db' {NEITHER}", NO_LISTEN),
    (["--listen", "@abstract"], f"'@abstract' {NEITHER}", NO_LISTEN),
    (["--listen", "/run/../etc"], f"'/run/../etc' {NEITHER}", NO_LISTEN),
    (["--listen", "/run/a b"], f"'/run/a b' {NEITHER}", NO_LISTEN),
    (
        ["--listen", "/run/" + "x" * 100],
        f"'/run/{'x' * 100}/.s.PGSQL.65535' is longer than the 107 bytes of a unix socket's path",
        "",
    ),
    (["--idle", "soon"], "'soon' is not a time span", SPAN),
    (["--idle", ""], "the value of --idle is empty", ""),
    (["--idle", "-5"], "'-5' is not a time span", SPAN),
    (["--idle", "0"], "idle time '0' is shorter than a second", ""),
    (["--idle", "999ms"], "idle time '999ms' is shorter than a second", ""),
    (["--session-idle", "never"], "'never' is not a time span", SPAN),
    (["--session-idle", ""], "the value of --session-idle is empty", ""),
    (["--session-idle", "25d"], "session idle time '25d' is longer than 24 days", "0 is never"),
    (
        ["--version", "13", "--session-idle", "5min"],
        "PostgreSQL 13 has no idle_session_timeout",
        "leave out --session-idle",
    ),
    (["--version", "9.6"], "version '9.6' is not a PostgreSQL version", VERSION),
    (["--version", "latest"], "version 'latest' is not a PostgreSQL version", VERSION),
    (["--version", "18."], "version '18.' is not a PostgreSQL version", VERSION),
    (["--version", "18.1.2"], "version '18.1.2' is not a PostgreSQL version", VERSION),
    (["--version", "018"], "version '018' is not a PostgreSQL version", VERSION),
    (["--version", ""], "the value of --version is empty", ""),
    (["--image", "a b"], "image 'a b' is not valid", ""),
    (["--image", ""], "the value of --image is empty", ""),
    (["--image", "-v"], "argument --image: expected one argument", NEW_HELP),
    (["--image", "$x"], "image '$x' is not valid", ""),
    (["--db-user", ""], "the value of --db-user is empty", ""),
    (["--db-user", LONG], f"'{LONG}' {TOO_LONG}", ""),
    (["--db-user", "a'b"], f"the value of --db-user {UNQUOTED}", ""),
    (["--db-user", "\udcff"], f"the value of --db-user {UNQUOTED}", ""),
    (["--db-name", ""], "the value of --db-name is empty", ""),
    (["--db-name", "ä" * 32], f"'{'ä' * 32}' {TOO_LONG}", ""),
    (["--db-name", " a"], f"the value of --db-name {UNQUOTED}", ""),
    (["--set", "work_mem"], "'work_mem' is not GUC=VALUE", GUC),
    (["--set", "=1"], "'=1' is not GUC=VALUE", GUC),
    (["--set", "a-b=1"], "'a-b=1' is not GUC=VALUE", GUC),
    (["--set", "a=1\n2"], "'a=1\n2' is not GUC=VALUE", GUC),
    (["--set", "listen_addresses=*"], "'listen_addresses' is set by sockwake", "leave it out"),
    (["--set", "PORT=1"], "'PORT' is set by sockwake", "leave it out"),
    (
        ["--set", "unix_socket_directories=/tmp"],
        "'unix_socket_directories' is set by sockwake",
        "leave it out",
    ),
    (["--set", "data_directory=/tmp"], "'data_directory' is set by sockwake", "leave it out"),
    (["--network", "a b"], "network 'a b' is not valid", ""),
    (["--network", ""], "the value of --network is empty", ""),
    (["--data", "srv"], "data directory 'srv' is not an absolute path of its own", ""),
    (["--data", ""], "the value of --data is empty", ""),
    (["--data", "/"], "data directory '/' is a place of the system's", "choose one of its own"),
    (
        ["--data", "/var/lib/"],
        "data directory '/var/lib' is a place of the system's",
        "choose one of its own",
    ),
    (["--data", "/srv/a:b"], "data directory '/srv/a:b' is not an absolute path of its own", ""),
    (["--data", "/srv/$x"], f"the value of --data {UNQUOTED}", ""),
    (["--ver", "17"], "unrecognized arguments: --ver 17", "sockwake --help"),
    (["--colour"], "unrecognized arguments: --colour", "sockwake --help"),
    (["pg2"], "unrecognized arguments: pg2", "sockwake --help"),
    (["--port"], "argument --port: expected one argument", NEW_HELP),
    (["--enable=yes"], "argument --enable: ignored explicit argument 'yes'", NEW_HELP),
]


def brief(value: object) -> str:
    return " ".join(map(ascii, value))[:40] if isinstance(value, list) else ""


def told(message: str, hint: str) -> str:
    return f"sockwake: error: {message}\n" + (f"(hint: {hint})\n" if hint else "")


def command(tree: Tree, *arguments: str) -> Callable[[], int]:
    return lambda: cli.main([*arguments, "--root", str(tree)])


@pytest.mark.parametrize(("options", "message", "hint"), BAD_OPTIONS, ids=brief)
def test_new_refuses_a_bad_option(tree: Tree, options: list[str], message: str, hint: str) -> None:
    before = tree.snapshot()
    ended = undisturbed(
        lambda: cli.main(["new", "pg1", "--version", "18", "--root", str(tree), *options])
    )
    assert (ended.status, ended.stdout) == (USAGE, "")
    assert ended.stderr == told(shown(message), hint)
    assert tree.added_to(before) == []


@pytest.mark.parametrize("verb", [["new", "--version", "18"], ["rm"]])
@pytest.mark.parametrize("name", ["My_App", "", "-", "..", "/etc", "a b", "a" * 32, "1a", "ä"])
def test_every_verb_refuses_a_bad_name(tree: Tree, verb: list[str], name: str) -> None:
    before = tree.snapshot()
    ended = undisturbed(command(tree, *verb, name))
    assert (ended.status, ended.stdout, ended.stderr) == (
        USAGE,
        "",
        told(f"instance name '{name}' is not valid: {NAME_RULE}", ""),
    )
    assert tree.added_to(before) == []


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        ([], "the following arguments are required: COMMAND", "sockwake --help"),
        (["new", "--version", "18"], "the following arguments are required: NAME", NEW_HELP),
        (["new", "pg1"], "--version is missing", "sockwake-new NAME --version 18"),
        (["rm"], "the following arguments are required: NAME", "sockwake rm --help"),
        (["compose", "My_App", "ps"], f"instance name 'My_App' is not valid: {NAME_RULE}", ""),
        (["rm", "a", "--force"], "unrecognized arguments: --force", "sockwake --help"),
        (["ls", "a"], "unrecognized arguments: a", "sockwake --help"),
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
    ran = run(*SOCKWAKE, "start", "pg1")
    assert (ran.status, ran.stdout) == (USAGE, "")
    assert ran.stderr.startswith(
        "sockwake: error: argument COMMAND: invalid choice: 'start' (choose from "
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
        told(f"instance name 'My_App' is not valid: {NAME_RULE}", ""),
    )
    assert tree.added_to(before) == []


@pytest.mark.parametrize(
    ("options", "status", "message", "hint"),
    [
        (["shop"], EXISTS, "instance 'shop' exists already", "sockwake rm shop removes it"),
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
        told(message.format(tree=tree), hint),
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
    assert ran.stderr.startswith(
        f"sockwake: error: 'systemctl --root={tree} --quiet enable pg-proxy@pg1.socket' failed with status 1: "
    )
    assert tree.added_to(before) == []


@pytest.mark.parametrize("options", [[], ["--purge"]])
def test_rm_of_nothing_says_so(tree: Tree, options: list[str]) -> None:
    before = tree.snapshot()
    ended = undisturbed(command(tree, "rm", "pg1", *options))
    assert (ended.status, ended.stdout) == (UNKNOWN, "")
    assert ended.stderr == told("there is no instance 'pg1'", "sockwake ls shows those there are")
    assert tree.added_to(before) == []


@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.parametrize("arguments", [["new", "pg1", "--version", "18"], ["rm", "pg1"]])
def test_who_may_not_write_is_told_who_may(arguments: list[str], exists: bool) -> None:
    nobody = 65534 if os.getuid() == 0 else os.getuid()
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
            user=nobody,
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
