"""The files of sockwake-new for each kind, as waker, proxy and systemd read them."""

import json
import shutil
from pathlib import Path

import pytest
from kind_examples import (
    COMMAND,
    CONTAINER,
    NATIVE,
    OF_KIND,
    PROJECT,
    container,
    lines,
    make,
    with_program,
)

from sockwake.admin.show import facts
from sockwake.config import settings
from sockwake.kinds.table import KINDS
from tree import SOURCE, Tree


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return with_program(tmp_path / "tree")


def test_every_kind_is_tried_here() -> None:
    assert OF_KIND.keys() == KINDS.keys()


@pytest.mark.parametrize(
    ("kind", "files"),
    [
        ("postgres", ["compose.yaml", "instance.env", "uninitialised"]),
        ("container", ["compose.yaml", "instance.env"]),
        ("project", ["instance.env"]),
        ("command", ["instance.env", "service.conf"]),
        ("native", ["instance.env", "service.conf"]),
    ],
)
def test_each_has_its_files_and_reads_them_as_its_own(
    tree: Tree, kind: str, files: list[str]
) -> None:
    described = make(tree, "a", OF_KIND[kind])
    assert sorted(path.name for path in Path(tree.instance("a").etc).iterdir()) == files
    read = settings.load(tree.instance("a"))
    assert read.kind == described["kind"] == kind
    assert described["units"] == [
        "pg-proxy@a.socket",
        *([] if kind == "native" else ["pg-proxy@a.service"]),
        "pg-postgres@a.service",
    ]
    assert (described["password_file"] is None) == (kind != "postgres")
    row = json.loads(tree.sockwake("ls", "--json").stdout)[0]
    assert (row["kind"], row["state"], row["data"]) == (kind, "off", described["data"])


WHERE = ("--listen", "/run/a/s", "--listen", "::1", "--port", "7777")


@pytest.mark.parametrize("kind", KINDS)
def test_each_takes_what_is_every_kind_s(tree: Tree, kind: str) -> None:
    owner = ("--socket-user", "me", "--socket-mode", "660")
    check = ("--check", "/bin/true", "--check-every", "10s")
    where = ("--listen", "::1", "--port", "8080") if kind == "project" else WHERE
    make(tree, "a", [*OF_KIND[kind], *where, "--idle", "1h", *owner, *check])
    socket = "/run/a/s/.s.PGSQL.7777" if kind == "postgres" else "/run/a/s"
    places = {f"LISTEN={socket},::1", "PORT=7777"}
    assert (places if kind != "project" else {"PORTS=[::1]:8080=web:80"}) | {
        "IDLE=1h",
        "SOCKET_USER=me",
        "SOCKET_MODE=0660",
        "CHECK=/bin/true",
        "CHECK_EVERY=10s",
    } <= set(lines(tree))
    read = settings.load(tree.instance("a"))
    assert (read.idle, read.check, read.check_every, read.listen) == (
        3600,
        "/bin/true",
        10,
        ("::1",) if kind == "project" else (socket, "::1"),
    )


@pytest.mark.parametrize(
    ("options", "where"),
    [
        (CONTAINER, "http://127.0.0.1:25432/"),
        ((*CONTAINER, "--ready", "tcp"), "127.0.0.1:25432"),
        ((*COMMAND, "--listen", "::", "--ready", "http:/x"), "http://[::1]:25432/"),
        ((*NATIVE, "--listen", "/run/a.sock"), "/run/a.sock"),
    ],
)
def test_the_address_for_clients_is_said(tree: Tree, options: tuple[str, ...], where: str) -> None:
    assert make(tree, "a", options)["dsn"] == where


@pytest.mark.parametrize(
    ("options", "network", "runtime"),
    [
        ((), "none", ["RUNTIME=crun"]),
        (("--network", "host"), "host", ["RUNTIME=crun"]),
        (("--network", "bridge"), "bridge", []),
        (("--runtime", "engine"), "bridge", []),
        (("--engine", "podman"), "bridge", ["ENGINE=podman"]),
        (("--runtime", "crun", "--engine", "podman"), "none", ["RUNTIME=crun", "ENGINE=podman"]),
    ],
)
def test_a_container_needs_no_engine_unless_one_or_its_network_is_asked_for(
    tree: Tree, options: tuple[str, ...], network: str, runtime: list[str]
) -> None:
    made = tree.sockwake("new", "a", *CONTAINER, *options)
    assert lines(tree)[1:-5] == runtime
    assert container(tree)["network_mode"] == network
    assert ("--network bridge lets it reach others" in made.stdout) == (network == "none")


def test_a_container_in_an_engine_is_on_its_bridge_with_its_port_to_itself(tree: Tree) -> None:
    make(tree, "a", [*CONTAINER, "--runtime", "engine"])
    assert lines(tree) == [
        "KIND=container",
        "IMAGE=nginx:1.26",
        "LISTEN=127.0.0.1",
        "PORT=25432",
        "BACKEND_PORT=80",
        "IDLE=3min",
    ]
    made = container(tree)
    assert (made["image"], made["network_mode"], made["restart"]) == ("${IMAGE}", "bridge", "no")
    assert not {"ports", "volumes", "command"} & made.keys()
    assert settings.load(tree.instance("a")).data == ""


def test_its_data_are_mounted_where_asked_for(tree: Tree) -> None:
    make(tree, "a", [*CONTAINER, "--mount", "/da ta", "--network", "my-net"])
    assert container(tree)["volumes"] == [
        {"type": "bind", "source": "${SOCKWAKE_DATA}", "target": "/da ta"}
    ]
    assert container(tree)["network_mode"] == "my-net"
    assert lines(tree)[-1] == "DATA=/var/lib/sockwake/a"
    make(tree, "b", [*CONTAINER, "--mount", "/data", "--data", "/srv/b"])
    assert lines(tree, "b")[-1] == "DATA=/srv/b"


def test_a_project_stays_where_it_is_with_every_port_at_its_own_address(tree: Tree) -> None:
    before = (tree.path / "srv/shop/compose.yaml").read_text()
    made = make(tree, "a", ["--kind", "container", "--compose", "/srv/shop"])
    places = [
        "127.0.0.1:8080=web:80",
        "[::1]:8080=web:80",
        "0.0.0.0:2222=web:22",
        "[::]:2222=web:22",
    ]
    assert lines(tree) == [
        "KIND=project",
        "PROJECT=/srv/shop",
        f"PORTS={','.join(places)}",
        "IDLE=3min",
    ]
    assert (made["project"], made["ports"]) == ("/srv/shop", places)
    assert sorted(path.name for path in (tree.path / "srv/shop").iterdir()) == ["compose.yaml"]
    assert (tree.path / "srv/shop/compose.yaml").read_text() == before


def test_one_project_is_one_instance(tree: Tree) -> None:
    make(tree, "a", PROJECT)
    ran = tree.sockwake("new", "b", *PROJECT)
    assert (ran.status, "instance 'a' has the compose project 'shop' already" in ran.stderr) == (
        3,
        True,
    )
    shutil.copytree(tree.path / "srv/shop", tree.path / "opt/shop")
    ran = tree.sockwake("new", "b", "--compose", "/opt/shop")
    assert ran.status == 3 and f"already, in {tree}/srv/shop" in ran.stderr
    opt = (tree.path / "opt/shop/compose.yaml").read_text().replace("2222", "2223")
    (tree.path / "opt/shop/compose.yaml").write_text(opt)
    make(tree, "c", ["--compose", "/opt/shop", "--copy", "--port", "2223", "--listen", "127.0.0.7"])
    assert "PROJECT=/var/lib/sockwake/c" in lines(tree, "c")
    assert (tree.path / "var/lib/sockwake/c/compose.yaml").is_file()


def test_the_engine_is_the_one_asked_for_or_the_one_there_is(tree: Tree) -> None:
    make(tree, "a", [*CONTAINER, "--engine", "podman"])
    make(tree, "b", CONTAINER)
    (tree.path / "usr/bin").mkdir()
    (tree.path / "usr/bin/podman").write_text("")
    make(tree, "c", CONTAINER)
    make(tree, "d", [*CONTAINER, "--engine", "docker"])
    (tree.path / "usr/bin/dockerd").write_text("")
    make(tree, "e", ["--version", "18"])
    assert [settings.load(tree.instance(name)).engine for name in "abcde"] == [
        "podman",
        "docker",
        "podman",
        "docker",
        "docker",
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_a_dry_run_shows_the_same_and_writes_nothing(tree: Tree, kind: str) -> None:
    before = tree.snapshot_of_names()
    shown = json.loads(tree.sockwake("new", "a", "--dry-run", "--json", *OF_KIND[kind]).stdout)[
        "files"
    ]
    assert tree.snapshot_of_names() == before
    make(tree, "a", OF_KIND[kind])
    etc = Path(tree.instance("a").etc)
    assert {path: file["content"] for path, file in shown.items()} == {
        str(path): path.read_text() for path in etc.iterdir()
    }


@pytest.mark.parametrize(
    ("kind", "seconds", "slow"),
    [
        ("postgres", 4.9, False),
        ("postgres", 5, True),
        ("container", 29, False),
        ("container", 30, True),
        ("native", None, False),
    ],
)
def test_a_slow_starter_gets_a_note_that_names_a_page(
    tree: Tree, kind: str, seconds: float | None, slow: bool
) -> None:
    make(tree, "a", OF_KIND[kind])
    said = facts.slow(seconds, settings.load(tree.instance("a")))
    assert bool(said) is slow
    if slow:
        assert (SOURCE / "docs" / Path(said.split()[-1]).name).is_file() and said.split()[
            -1
        ].startswith("/usr/share/doc/sockwake/")
        assert (
            f"docs/{Path(said.split()[-1]).name}" in (SOURCE / "debian/sockwake.docs").read_text()
        )
