"""sockwake-new --runtime host: the files of what systemd runs, and what it cannot be."""

import json
import shlex
from pathlib import Path

import pytest
from kind_examples import lines, make, unit

from sockwake.config import settings
from sockwake.errors import FAILED, USAGE
from sockwake.lifecycle import hosted
from tree import SOCKWAKE, Tree, run

HOST = ("--version", "17", "--runtime", "host")


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path / "tree")


def exec_words(tree: Tree) -> list[str]:
    """The command of its service.conf, as systemd takes it."""
    line = next(line for line in unit(tree) if line.startswith("ExecStart="))
    return shlex.split(line.removeprefix("ExecStart=").replace("%%", "%").replace("$$", "$"))


def test_it_has_no_image_and_no_engine_and_its_binaries_may_come_later(tree: Tree) -> None:
    described = make(tree, "a", HOST)
    assert (described["image"], described["data"]) == ("", f"{tree}/var/lib/sockwake/a")
    assert lines(tree) == [
        "KIND=postgres",
        "RUNTIME=host",
        "VERSION=17",
        "LISTEN=127.0.0.1",
        "PORT=25432",
        "IDLE=3min",
        "DB_USER=postgres",
        "DB_NAME=postgres",
    ]
    names = sorted(path.name for path in Path(tree.instance("a").etc).iterdir())
    assert names == ["instance.env", "service.conf", "uninitialised"]
    read = settings.load(tree.instance("a"))
    assert (read.runtime, read.is_container, read.needs_engine, read.is_bundled) == (
        "host",
        False,
        False,
        False,
    )


@pytest.mark.parametrize(
    ("options", "data", "cluster"),
    [
        (HOST, "/var/lib/sockwake/a", "/var/lib/sockwake/a"),
        (
            ("--version", "18", "--runtime", "host", "--data", "/srv/a b%"),
            "/srv/a b%",
            "/18/docker",
        ),
    ],
)
def test_its_unit_locks_the_data_and_runs_debians_server_on_the_cluster(
    tree: Tree, options: tuple[str, ...], data: str, cluster: str
) -> None:
    guc = "log_line_prefix=%m {data} $x "
    make(tree, "a", [*options, "--set", guc])
    program, locked, server, flag, place, *gucs = exec_words(tree)
    assert (program, locked, flag) == ("/usr/libexec/sockwake/server", data, "-D")
    assert server == f"/usr/lib/postgresql/{options[1]}/bin/postgres"
    assert place.startswith(data) and place.endswith(cluster)
    said = dict(each.split("=", 1) for each in gucs[1::2])
    assert said["listen_addresses"] == "" and said["log_line_prefix"] == guc.partition("=")[2]
    assert said["unix_socket_directories"] == "/run/postgresql"
    assert {"User=postgres", "CapabilityBoundingSet=", "PrivateNetwork=yes"} <= set(unit(tree))


def test_data_below_a_home_are_seen_in_the_sandbox(tree: Tree) -> None:
    make(tree, "a", [*HOST, "--data", "/home/a/db", "--network", "host"])
    conf = unit(tree)
    assert "ProtectHome=tmpfs" in conf and "ProtectHome=yes" not in conf
    assert "BindPaths=-/home/a/db" in conf and "PrivateNetwork=yes" not in conf


def test_with_tls_its_server_is_on_the_loopback_of_its_own_network(tree: Tree) -> None:
    make(tree, "a", [*HOST, "--tls"])
    assert "listen_addresses=127.0.0.1" in exec_words(tree) and "ssl=on" in exec_words(tree)
    assert settings.load(tree.instance("a")).backend_port == 5432


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--image", "postgres:17"), "--image is for a container"),
        (("--engine", "podman"), "--engine is for a container"),
        (("--network", "bridge"), "is 'none' or 'host', not 'bridge'"),
        (("--network", "host", "--tls"), "TLS needs a network namespace"),
        (("--kind", "container"), "--runtime host is for a PostgreSQL"),
    ],
)
def test_what_only_a_container_has_is_refused(
    tree: Tree, options: tuple[str, ...], words: str
) -> None:
    ran = tree.sockwake("new", "a", *(HOST[2:] if "--kind" in options else HOST), *options)
    assert (ran.status, words in ran.stderr) == (USAGE, True), ran
    assert not Path(tree.instance("a").etc).exists()


def test_a_version_that_is_not_installed_is_told_with_the_package(tree: Tree) -> None:
    ran = run(*SOCKWAKE, "new", "a", "--version", "99", "--runtime", "host")
    assert ran.status == FAILED and "PostgreSQL 99 is not installed on this host" in ran.stderr
    assert "(hint: apt install postgresql-99" in ran.stderr


def test_a_dry_run_shows_the_unit(tree: Tree) -> None:
    shown = json.loads(tree.sockwake("new", "a", "--dry-run", "--json", *HOST).stdout)["files"]
    assert sorted(path.rpartition("/")[2] for path in shown) == [
        "instance.env",
        "service.conf",
        "uninitialised",
    ]


def test_a_container_needs_its_image_still(tree: Tree) -> None:
    make(tree, "a", HOST)
    env = Path(tree.instance("a").env_file)
    env.write_text(env.read_text().replace("RUNTIME=host", "RUNTIME=crun"))
    ran = tree.sockwake("status", "a")
    assert ran.status == FAILED and "key 'IMAGE' is missing" in ran.stderr


def test_its_variables_are_read_as_systemd_reads_them(tree: Tree) -> None:
    make(tree, "a", [*HOST, "--env", 'POSTGRES_INITDB_ARGS=--locale=C --set "a=$b"'])
    found = hosted.variables(tree.instance("a"))
    assert found == {"POSTGRES_INITDB_ARGS": '--locale=C --set "a=$b"'}
    assert "EnvironmentFile=-/etc/sockwake/%i/environment" in unit(tree)
