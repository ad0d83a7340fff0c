"""sockwake set: it refuses what sockwake-new does, and says where the rest of a change is."""

from pathlib import Path

import pytest
from kind_examples import COMMAND, CONTAINER, PROJECT, make, with_program
from test_set import text

from sockwake.admin.change import lines
from sockwake.admin.change.pending import Pending
from sockwake.admin.change.set import Change
from sockwake.oci import bundle, store
from tree import Tree


@pytest.mark.parametrize(
    ("options", "change", "said"),
    [
        ((), "READY=tcp", "cannot be ready by 'tcp'"),
        ((), "CLIENT_FIRST=yes", "CLIENT_FIRST is not for an instance of kind 'postgres'"),
        ((), "PROFILES=full", "PROFILES is not for an instance of kind 'postgres'"),
        ((), "BACKEND_PORT=80", "BACKEND_PORT is not for an instance of kind 'postgres'"),
        (("--runtime", "host"), "IMAGE=postgres:18", "IMAGE is for a container, and a program"),
        (("--runtime", "host"), "ENGINE=podman", "ENGINE is for a container, and a program"),
        (("--allow", "10.0.0.0/8"), "LISTEN=/run/pg1x", "ALLOW is for IP addresses"),
        (("--listen", "/run/pg1x"), "ALLOW=10.0.0.0/8", "ALLOW is for IP addresses"),
        (("--port", "25501"), "LISTEN=::1,/run/x", "(hint: it does at /run/x/.s.PGSQL.25501)"),
        (COMMAND, "IMAGE=nginx", "IMAGE is not for an instance of kind 'command'"),
        (COMMAND, "VERSION=18", "VERSION is not for an instance of kind 'command'"),
        (CONTAINER, "DB_NAME=shop", "DB_NAME is not for an instance of kind 'container'"),
        (PROJECT, "PORTS=127.0.0.1:8087=nope:80", "has no service 'nope'"),
        (PROJECT, "PROJECT=/srv/none", "/srv/none"),
        (PROJECT, "PROJECT=/srv/other", "instance 'b' has the compose project 'other' already"),
        (PROJECT, "DB_NAME=shop", "DB_NAME is not for an instance of kind 'project'"),
    ],
)
def test_what_sockwake_new_refuses_is_refused(
    tmp_path: Path, options: tuple[str, ...], change: str, said: str
) -> None:
    tree = with_program(tmp_path / "tree")
    make(tree, "a", options if "--kind" in options else ("--version", "18", *options))
    if change.endswith("other"):
        (tree.path / "srv/other").mkdir()
        (tree.path / "srv/other/compose.yaml").write_text(
            "services: {web: {image: 'nginx:1.26', ports: ['127.0.0.1:8090:80']}}\n"
        )
        make(tree, "b", ("--kind", "project", "--compose", "/srv/other"))
    before = tree.snapshot_of_names(), text(tree, "a")
    ran = tree.sockwake("set", "a", change)
    assert (ran.status != 0, ran.stdout) == (True, ""), ran
    assert said in ran.stderr, ran
    assert (tree.snapshot_of_names(), text(tree, "a")) == before


@pytest.mark.parametrize(
    ("pending", "said"),
    [
        (Pending(is_open=True), "LISTEN at the next wake"),
        (Pending(is_open=True, reopen=True), "LISTEN now"),
        (Pending(), "LISTEN as soon as its port is open"),
    ],
)
def test_when_a_port_s_setting_counts_is_told_by_whether_it_is_open(
    tree: Tree, pending: Pending, said: str
) -> None:
    tree.new("pg1", "--port", "25501")
    old = text(tree)
    new = old.replace("LISTEN=127.0.0.1", "LISTEN=127.0.0.1,::1")
    change = Change(tree.instance("pg1"), "instance.env", old, new)
    change.pending = pending
    assert change.effects() == [said]


def test_the_note_on_tls_names_the_file_that_there_is(tree: Tree) -> None:
    tree.new("pg1")
    tree.new("pg2", "--runtime", "host")
    for name, option in (("pg1", "--compose"), ("pg2", "--unit")):
        ran = tree.sockwake("set", name, "TLS=yes")
        assert f"in its definition: sockwake edit --root {tree} {option} {name}" in ran.stdout, ran


def test_another_port_of_a_container_is_told_beside_those_of_its_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether its server listens there only a wake can tell, which takes its time to fail."""
    tree = with_program(tmp_path / "tree")
    make(tree, "a", CONTAINER)
    said = "its server has to listen on port 81 in its container"
    assert f"; {said}.\n" in tree.sockwake("set", "a", "BACKEND_PORT=81", "--dry-run").stdout
    image = store.Image("sha256:1", "/none", {"ExposedPorts": {"80/tcp": {}, "443/tcp": {}}})
    monkeypatch.setattr(bundle, "image_of", lambda _: image.digest)
    monkeypatch.setattr(store, "find", lambda *_: image)
    old = text(tree, "a")
    for port, told in ((81, f"{said}, and its image says 443/tcp and 80/tcp"), (443, "")):
        new = lines.changed(old, {"BACKEND_PORT": f"{port}"})
        effects = Change(tree.instance("a"), "instance.env", old, new).effects()
        assert effects[-1].endswith(told or "in its container"), effects
    make(tree, "c", COMMAND)
    ran = tree.sockwake("set", "c", "BACKEND_PORT=81")
    edit = f"sockwake edit --root {tree} --unit c"
    assert f"BACKEND_PORT is in service.conf, too: {edit}" in ran.stdout, ran
    ran = tree.sockwake("set", "a", "BACKEND_PORT=", "--dry-run")
    assert "its server has to make its unix socket" in ran.stdout, ran
