"""A port is free if no instance or cluster claims it, and it can be bound on v4 and v6."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from sockwake.admin.make import ports
from sockwake.config import settings
from sockwake.errors import EXISTS, SockwakeError
from sockwake.system import files
from tree import SOCKWAKE, Tree

OPEN = ["127.0.0.1", "::1"]


def last() -> int:
    return max(
        32767, int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0]) - 1
    )


@pytest.fixture(params=["127.0.0.1", "0.0.0.0", "::1", "::"])
def held(request: pytest.FixtureRequest) -> Iterator[int]:
    """A port that was free and that an outside program now listens on, at one address."""
    address: str = request.param
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as outsider:
        while not outsider.getsockname()[1]:
            with suppress(OSError):  # other tests on this machine look for a port too
                outsider.bind((address, ports.next_free(OPEN)))
        outsider.listen()
        yield outsider.getsockname()[1]


def test_a_port_that_an_outside_program_holds_is_skipped(held: int) -> None:
    assert ports.next_free(["127.0.0.1"]) != held


def test_a_port_that_an_outside_program_holds_is_refused(held: int) -> None:
    with pytest.raises(
        SockwakeError, match=f"port {held} cannot be bound: .* says address already in use"
    ) as caught:
        ports.require_free(held, ["127.0.0.1"])
    assert (caught.value.status, caught.value.hint) == (
        EXISTS,
        "leave out --port to take the next free one",
    )


def test_in_another_root_only_claims_count(held: int, tree: Tree) -> None:
    ports.require_free(held, ["127.0.0.1"], str(tree))


def test_an_address_the_host_does_not_have_yet_is_no_obstacle() -> None:
    assert ports.next_free(["192.0.2.1", "2001:db8::1"]) >= ports.FIRST


def test_the_first_port_is_the_first(tree: Tree) -> None:
    assert ports.next_free([], str(tree)) == ports.FIRST == 25432


def test_gaps_are_filled_and_a_removed_instance_gives_its_port_back(tree: Tree) -> None:
    assert [tree.new(name)["port"] for name in ("a", "b", "c")] == [25432, 25433, 25434]
    assert tree.sockwake("rm", "b").status == 0
    assert tree.new("d")["port"] == 25433


@pytest.mark.parametrize(
    "broken",
    [
        "PORT=25432",
        "PORT=25432\nPORT=25433\nnonsense",
        "KIND=later\nPORT=25432\n",
        "\0\nPORT=25432",
    ],
)
def test_a_file_too_broken_to_run_keeps_its_port(tree: Tree, broken: str) -> None:
    tree.write_env("other", broken)
    assert tree.new("pg1")["port"] == 25433 + broken.count("25433")


def test_every_port_of_a_project_is_claimed(tree: Tree) -> None:
    tree.write_env("shop", "KIND=project\nPORTS=127.0.0.1:25432=web:80,[::1]:25434=git:22\n")
    assert ports.claims(str(tree)) == dict.fromkeys((25432, 25434), "instance 'shop'")
    assert [tree.new(name)["port"] for name in ("a", "b")] == [25433, 25435]


def test_an_unfinished_instance_keeps_its_port(tree: Tree) -> None:
    draft = tree.path / "etc/sockwake/.new-other"
    draft.mkdir(parents=True)
    (draft / "instance.env").write_text("PORT=25432\n")
    assert tree.new("pg1")["port"] == 25433


def test_a_unix_socket_of_another_instance_is_refused(tree: Tree, tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.mkdir()
    link.symlink_to(real)
    tree.write_env("web", f"KIND=command\nLISTEN=::1,{real}/web.sock\nPORT=25432\n")
    for path in (f"{real}/web.sock", f"{link}/web.sock"):
        with pytest.raises(SockwakeError, match="is already claimed by instance 'web'") as caught:
            ports.require_free_sockets(["::1", path], str(tree))
        assert caught.value.status == EXISTS
        ports.require_free_sockets(["::1", path], str(tree), owner="web")
    program = ("--kind", "command", "--exec", "/usr/bin/env -S {port}")
    (tree.path / "usr/bin").mkdir(parents=True)
    shutil.copy("/usr/bin/env", tree.path / "usr/bin/env")
    ran = tree.sockwake("new", "b", *program, "--listen", f"{real}/web.sock")
    assert (ran.status, "already claimed" in ran.stderr) == (EXISTS, True), ran
    assert tree.sockwake("new", "b", *program, "--listen", f"{real}/b.sock").status == 0
    ran = tree.sockwake("set", "b", f"LISTEN={real}/web.sock")
    assert (ran.status, "already claimed" in ran.stderr) == (EXISTS, True), ran


def test_a_unix_socket_on_which_a_program_listens_is_refused(tree: Tree, tmp_path: Path) -> None:
    path = f"{tmp_path}/a.sock"
    with socket.socket(socket.AF_UNIX) as outsider:
        outsider.bind(path)
        ports.require_free_sockets([path])  # left by one that has ended
        outsider.listen()
        with pytest.raises(SockwakeError, match=f"is in use by process {os.getpid()} "):
            ports.require_free_sockets([path])
        ports.require_free_sockets([path], str(tree))


@pytest.mark.parametrize(
    ("conf", "port"),
    [
        ("port = 5433", 5433),
        ("port=5433", 5433),
        ("port 5433", 5433),
        ("  port = '5433'", 5433),
        ("PORT = 5433 # x", 5433),
        ("#port = 1", 5432),
        ("", 5432),
        ("data_directory = '/port = 7'\nport = 5433", 5433),
        ("port = 99999999", 5432),
    ],
)
def test_a_cluster_of_the_host_claims_the_port_in_its_configuration(
    tree: Tree, conf: str, port: int
) -> None:
    write_cluster_conf(tree, conf)
    assert ports.claims(str(tree)) == {port: "the PostgreSQL cluster 17/main"}


def test_the_port_of_a_cluster_of_the_host_is_skipped_and_refused(tree: Tree) -> None:
    write_cluster_conf(tree, "port = 25432")
    assert tree.new("pg1")["port"] == 25433
    with pytest.raises(
        SockwakeError, match="port 25432 is already claimed by the PostgreSQL cluster 17/main"
    ):
        ports.require_free(25432, [], str(tree))


def test_clusters_are_found_in_a_root_of_any_name(tmp_path: Path) -> None:
    tree = Tree(tmp_path / "a[b]*")
    write_cluster_conf(tree, "port = 25432")
    assert ports.next_free([], str(tree)) == 25433


def test_ports_the_kernel_hands_out_by_itself_are_never_taken(tree: Tree) -> None:
    claimed = "".join(f"PORT={port}\n" for port in range(ports.FIRST, last() + 1))
    full = tree.write_env("all", claimed)
    with pytest.raises(SockwakeError, match=f"no port from 25432 to {last()} is free") as caught:
        ports.next_free([], str(tree))
    assert caught.value.hint == "--port takes any other"
    Path(full.env_file).write_text(claimed.replace(f"PORT={last()}\n", ""))
    assert ports.next_free([], str(tree)) == last()


@pytest.mark.parametrize(
    ("begins", "first", "end"),
    [
        ("1024 65535", 25432, 32767),
        ("25433 60999", 25432, 32767),
        ("28000 65000", 25432, 32767),
        ("40000 65000", 25432, 39999),
        ("", 25432, 32767),
    ],
)
def test_where_the_kernel_begins_early_there_are_ports_all_the_same(
    tree: Tree, monkeypatch: pytest.MonkeyPatch, begins: str, first: int, end: int
) -> None:
    """Proxies and database hosts are tuned like that."""
    real = files.text_of
    monkeypatch.setattr(
        files,
        "text_of",
        lambda path: begins if path.endswith("/ip_local_port_range") else real(path),
    )
    assert ports.next_free(OPEN, str(tree)) == first
    tree.write_env("all", "".join(f"PORT={port}\n" for port in range(first, end)))
    assert ports.next_free(OPEN, str(tree)) == end
    assert ports.next_free(OPEN, str(tree), but=end - 1) == end
    with pytest.raises(SockwakeError, match=f"no port from {first} to {end} is free"):
        ports.next_free(OPEN, str(tree), but=end)


@pytest.mark.parametrize(
    ("file", "text", "claimed"),
    [
        ("compose.yaml", "services:\n  a:\n    network_mode: bridge\n", False),
        ("compose.yaml", "services:\n  a:\n    image: x # network_mode: host\n", False),
        ("compose.yaml", "services:\n  a:\n    network_mode: hosts-of-mine\n", False),
        ("compose.yaml", "services:\n  a:\n    network_mode: host\n", True),
        ("compose.yaml", "services: {a: {network_mode: 'host'}}\n", True),
        ("compose.yaml", '{"services": {"a": {"network_mode": "host"}}}', True),
        ("service.conf", "[Service]\nPrivateNetwork=yes\n", False),
        ("service.conf", "[Service]\n PrivateNetwork = TRUE\n", False),
        ("service.conf", "[Service]\nNetworkNamespacePath=/run/netns/x\n", False),
        ("service.conf", "[Service]\n#PrivateNetwork=yes\n", True),
        ("service.conf", "[Service]\nPrivateNetwork=no\n", True),
        ("other.conf", "PrivateNetwork=yes\n", True),
    ],
)
def test_a_backends_port_counts_only_in_the_hosts_network(
    tree: Tree, file: str, text: str, claimed: bool
) -> None:
    instance = tree.write_env("a", "PORT=25433\nBACKEND_PORT=25432\n")
    Path(f"{instance.etc}/{file}").write_text(text)
    assert ports.claims(str(tree)) == {25433: "instance 'a'"} | (
        {25432: "instance 'a'"} if claimed else {}
    )


def test_a_port_that_only_a_container_has_is_free(tree: Tree) -> None:
    """MongoDB's own, for the next instance."""
    container = (
        "--kind",
        "container",
        "--image",
        "mongo:8",
        "--container-port",
        "27017",
        "--ready",
        "tcp",
    )
    assert tree.sockwake("new", "a", *container).status == 0
    assert tree.new("b", "--port", "27017")["port"] == 27017


def test_one_file_with_an_endless_number_does_not_stop_the_others(tree: Tree) -> None:
    tree.write_env("odd", f"PORT={'9' * 5000}\n")
    write_cluster_conf(tree, f"port = {'9' * 5000}\n")
    assert tree.new("pg1")["port"] == 25432


def test_twenty_at_once_get_twenty_ports(tree: Tree) -> None:
    started = [
        subprocess.Popen(
            [
                *SOCKWAKE,
                "new",
                f"pg{number}",
                "--version",
                "18",
                "--no-provision",
                "--quiet",
                "--root",
                str(tree),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for number in range(20)
    ]
    assert [(*process.communicate(timeout=60), process.returncode) for process in started] == [
        (b"", b"", 0)
    ] * 20
    taken = sorted(settings.load(tree.instance(f"pg{number}")).port for number in range(20))
    assert taken == list(range(25432, 25452))


def write_cluster_conf(tree: Tree, conf: str) -> None:
    directory = tree.path / "etc/postgresql/17/main"
    directory.mkdir(parents=True)
    (directory / "postgresql.conf").write_text(f"{conf}\n")
