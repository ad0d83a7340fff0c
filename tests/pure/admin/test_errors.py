"""Bad values: each has its status, its words on stderr, and nothing is written."""

import pytest
from refusals import (
    GUC,
    LONG,
    NAME_RULE,
    NEITHER,
    NEW_HELP,
    NO_LISTEN,
    PORT_RANGE,
    SPAN,
    TOO_LONG,
    UNQUOTED,
    VERSION,
    brief,
    command,
    told,
)

from fault import undisturbed
from sockwake.admin import cli
from sockwake.errors import USAGE, shown
from tree import Tree

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
    (
        ["--listen", "::ffff:10.0.0.1"],
        "'::ffff:10.0.0.1' is an IPv4 address in IPv6",
        "it is 10.0.0.1",
    ),
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
    (["--ver", "17"], "unrecognized arguments: --ver 17", f"is it --version? {NEW_HELP}"),
    (["--colour"], "unrecognized arguments: --colour", NEW_HELP),
    (["pg2"], "unrecognized arguments: pg2", NEW_HELP),
    (["--port"], "argument --port: expected one argument", NEW_HELP),
    (["--enable=yes"], "argument --enable: ignored explicit argument 'yes'", NEW_HELP),
]


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
        told(
            f"instance name '{name}' is not valid: {NAME_RULE}",
            "as in my-app" if name == "My_App" else "",
        ),
    )
    assert tree.added_to(before) == []
