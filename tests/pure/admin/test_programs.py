"""The files of sockwake-new for programs of the host: where each listens, and what systemd runs."""

from pathlib import Path

import pytest
from kind_examples import COMMAND, NATIVE, lines, make, unit, with_program

from sockwake.config import settings
from tree import Tree


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return with_program(tmp_path / "tree")


def test_a_program_with_a_port_is_alone_with_it(tree: Tree) -> None:
    make(tree, "a", COMMAND)
    assert lines(tree) == [
        "KIND=command",
        "LISTEN=127.0.0.1",
        "PORT=25432",
        "BACKEND_PORT=25432",
        "IDLE=3min",
        "DATA=/var/lib/sockwake/a",
    ]
    assert {
        "ExecStart=/bin/true --bind 127.0.0.1 25432",
        "PrivateNetwork=yes",
        "DynamicUser=yes",
        "StateDirectory=sockwake/%i",
    } <= set(unit(tree))
    assert not [line for line in unit(tree) if line.startswith(("User=", "RuntimeDirectory"))]


def test_a_program_on_the_host_s_network_has_a_port_that_no_other_instance_gets(tree: Tree) -> None:
    make(tree, "a", [*COMMAND, "--network", "host"])
    make(tree, "b", [*COMMAND, "--network", "host"])
    assert [[line for line in lines(tree, name) if "PORT=" in line] for name in "ab"] == [
        ["PORT=25432", "BACKEND_PORT=25433"],
        ["PORT=25434", "BACKEND_PORT=25435"],
    ]
    assert "ExecStart=/bin/true --bind 127.0.0.1 25433" in unit(
        tree
    ) and "PrivateNetwork=yes" not in unit(tree)


def test_a_program_with_a_socket_has_a_directory_for_it(tree: Tree) -> None:
    make(
        tree, "a", ["--kind", "command", "--exec", "/bin/true --socket={socket}", "--run-as", "me"]
    )
    assert {
        "ExecStart=/bin/true --socket=/run/sockwake-a/socket",
        "RuntimeDirectory=sockwake-%i",
        "RuntimeDirectoryMode=0700",
        "User=me",
    } <= set(unit(tree))
    assert (
        "DynamicUser=yes" not in unit(tree) and settings.load(tree.instance("a")).backend_port == 0
    )


@pytest.mark.parametrize(
    ("options", "notifies"),
    [((), False), (("--ready", "start"), False), (("--ready", "notify"), True)],
)
def test_a_native_program_says_itself_when_it_is_ready_if_it_can(
    tree: Tree, options: tuple[str, ...], notifies: bool
) -> None:
    make(tree, "a", [*NATIVE, *options])
    assert ("Type=notify" in unit(tree)) is notifies
    assert 'ExecStart=/usr/libexec/sockwake/native /bin/true "a b" /var/lib/sockwake/a' in unit(
        tree
    )
    assert not [line for line in lines(tree) if line.startswith("BACKEND_PORT=")]


@pytest.mark.parametrize(("user", "is_lean"), [("", True), ("daemon", True), ("root", False)])
def test_only_root_s_program_is_kept_from_the_kernel_by_a_mount_for_each_file(
    tree: Tree, user: str, is_lean: bool
) -> None:
    make(tree, "a", [*COMMAND, *(["--run-as", user] if user else [])])
    conf = set(unit(tree))
    mounted = {"ProtectKernelTunables=yes", "ProtectControlGroups=yes", "ProtectKernelLogs=yes"}
    assert (mounted & conf) == (set() if is_lean else mounted)
    assert ("ReadOnlyPaths=/sys" in conf) is is_lean
