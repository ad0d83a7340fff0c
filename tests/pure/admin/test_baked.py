"""sockwake check: what forbids an image is found in a tree, and nothing else is read."""

import json
import os
import shutil
from pathlib import Path

import pytest

from baked_tree import (
    ETC,
    KEY,
    Damage,
    a_cluster_that_ran,
    a_cluster_with_its_password,
    a_debian_cluster,
    another_socket,
    another_with_all_addresses,
    appended,
    enable,
    half_an_image,
    image,
    make_fit,
    masked,
    no_image,
    removed,
    the_host_s_server,
    unresolved,
    write,
    written,
)
from sockwake.admin.show.baked import presets
from sockwake.admin.show.baked.tree import Tree as Look
from sockwake.errors import FAILED, UNKNOWN, USAGE
from tree import SOCKWAKE, SOURCE, Ran, Tree, run

SOCKET = "pg-proxy@shop.socket"
FAULTS = [
    ("package", None, removed("usr/libexec/sockwake/proxy"), "apt install sockwake"),
    (
        "package",
        None,
        written(
            "var/lib/dpkg/status",
            "Package: sockwake\nStatus: install ok half-configured\nVersion: 9:1\n",
        ),
        "dpkg --configure",
    ),
    (
        "package",
        None,
        written(
            "var/lib/dpkg/status",
            "Package: sockwake\nStatus: install ok installed\nVersion: 0.0~1\n",
        ),
        "install sockwake ",
    ),
    ("program", None, removed("usr/bin/crun"), "apt install crun"),
    ("broken", "shop", appended(f"{ETC}/instance.env", "COLOUR=red\n"), "editor "),
    ("definition", "shop", written(f"{ETC}/compose.yaml", "services: [\n"), "editor "),
    ("definition", "shop", written(f"{ETC}/compose.yaml", "services: {}\n"), "editor "),
    ("definition", "shop", removed(f"{ETC}/compose.yaml"), "editor "),
    ("image", "shop", no_image, "sockwake images load --root {tree} ARCHIVE"),
    ("image", "shop", half_an_image, "sockwake images load"),
    ("compose", "shop", unresolved, "apt install docker-compose"),
    ("server", "own", the_host_s_server, "apt install postgresql-17"),
    ("data", "shop", removed(f"{ETC}/uninitialised"), "touch {tree}/etc/sockwake/shop/uninit"),
    (
        "socket",
        "shop",
        removed("etc/systemd/system/sockets.target.wants/pg-proxy@shop.socket"),
        "systemctl --root={tree} enable pg-proxy@shop.socket",
    ),
    ("socket", "shop", masked, "systemctl --root={tree} unmask pg-proxy@shop.socket"),
    (
        "preset",
        None,
        written("usr/lib/systemd/system-preset/99-default.preset", "disable *\n"),
        "00-sockwake.preset",
    ),
    ("port", "shop", another_socket("127.0.0.1:25432"), "editor "),
    ("port", "shop", another_socket("25432"), "editor "),
    ("port", "shop", another_socket("22", "25432"), "editor "),
    ("port", "shop", a_debian_cluster, "editor "),
    ("port", None, another_with_all_addresses, "editor "),
    ("secret", "shop", written(f"{ETC}/password", "secret\n", 0o600), "rm {tree}/etc/sockwake"),
    (
        "secret",
        "shop",
        written(f"{ETC}/environment", "PGUSER=x\nPOSTGRES_PASSWORD=x\n", 0o600),
        "editor ",
    ),
    (
        "secret",
        "shop",
        appended(f"{ETC}/compose.yaml", "    environment:\n      API_TOKEN: abc\n"),
        "editor ",
    ),
    (
        "secret",
        "shop",
        appended(f"{ETC}/compose.yaml", "    environment: [DB_PASSWORD=abc]\n"),
        "editor ",
    ),
    (
        "secret",
        "shop",
        written("var/lib/sockwake/bundles/shop/made-of/environment", "PGPASSWORD=x\n"),
        "editor ",
    ),
    ("secret", "shop", written(f"{ETC}/server.key", KEY, 0o600), "rm {tree}/etc/sockwake/shop"),
    ("secret", "shop", written(f"{ETC}/init.d/client.pem", f"x\n{KEY}", 0o600), "rm {tree}/etc"),
    ("secret", "shop", a_cluster_with_its_password, "rm {tree}/var/lib/sockwake/shop/sockwake-p"),
    ("secret", "shop", a_cluster_that_ran, "rm {tree}/var/lib/sockwake/shop/18/docker/postmaster"),
    ("secret", None, written("etc/credstore/sockwake.shop.password"), "rm {tree}/etc/credstore"),
    ("clone", None, written("etc/machine-id", "0123456789abcdef0123456789abcdef\n"), "truncate"),
    ("clone", None, written("var/lib/systemd/credential.secret"), "rm {tree}/var/lib/systemd"),
    ("mode", "shop", written(f"{ETC}/environment", "A=b\n"), "chmod 0600 {tree}/etc/sockwake"),
]


@pytest.fixture
def fit(tree: Tree) -> Tree:
    """A tree of which an image may be made: one instance, with all that it needs."""
    make_fit(tree)
    return tree


def found(tree: Tree, *names: str) -> list[dict[str, str | None]]:
    """What sockwake check says is wrong."""
    ran = tree.sockwake("check", "--json", *names)
    assert not ran.stderr, ran
    rows: list[dict[str, str | None]] = json.loads(ran.stdout)
    assert ran.status == (FAILED if rows else 0), ran
    return rows


def test_a_fit_tree_has_no_finding_and_is_left_as_it_is(fit: Tree) -> None:
    before = fit.snapshot()
    ran = fit.sockwake("check")
    assert (ran.status, ran.stderr) == (0, ""), ran
    assert ran.stdout == f"Nothing forbids an image of {fit} with 1 instance.\n"
    assert found(fit, "shop") == []
    assert fit.snapshot() == before


@pytest.mark.parametrize(
    ("check", "instance", "damage", "mend"),
    FAULTS,
    ids=[f"{number}-{fault[0]}" for number, fault in enumerate(FAULTS)],
)
def test_a_fault_is_found_with_the_way_out(
    fit: Tree, check: str, instance: str | None, damage: Damage, mend: str
) -> None:
    damage(fit)
    [row] = found(fit)
    assert (row["check"], row["instance"]) == (check, instance), row
    assert mend.format(tree=fit) in str(row["command"]), row
    line = fit.sockwake("check").stdout
    about = f"{instance}: " if instance else ""
    assert line == f"{about}{row['finding']}: {row['command']}\n"


def test_the_way_out_is_one(fit: Tree) -> None:
    """Of findings with a command that can be typed as it is."""
    written("usr/lib/systemd/system-preset/99-default.preset", "disable *\n")(fit)
    written(f"{ETC}/password", "secret\n", 0o600)(fit)
    written("etc/machine-id", "0123456789abcdef0123456789abcdef\n")(fit)
    removed("etc/systemd/system/sockets.target.wants/pg-proxy@shop.socket")(fit)
    rows = found(fit)
    assert len(rows) == 4
    for row in rows:
        assert run("sh", "-c", str(row["command"])).status == 0
    assert found(fit) == []
    assert run("systemctl", f"--root={fit}", "preset-all").status == 0
    assert found(fit) == []


@pytest.mark.parametrize(
    "lines",
    [
        "disable *",
        "disable pg-*",
        "enable pg-proxy@.socket shop\ndisable *",
        "enable pg-proxy@.socket other\ndisable *",
        "enable ssh.service\ndisable pg-proxy@.socket",
        "enable pg-proxy@shop.socket\ndisable *",
        "# disable *\n; disable *\nignore pg-*\ndisable *",
        "",
    ],
)
def test_presets_are_read_as_systemd_reads_them(fit: Tree, lines: str) -> None:
    write(fit, "etc/systemd/system-preset/10-x.preset", f"{lines}\n")
    rule = presets.rule_for("pg-proxy@.socket", [*presets.rules(Look(str(fit)))])
    run("systemctl", f"--root={fit}", "preset-all")
    is_enabled = os.path.lexists(fit.path / "etc/systemd/system/sockets.target.wants" / SOCKET)
    assert is_enabled == (not rule or rule.action != "disable")


def test_a_preset_of_the_same_name_replaces_another(fit: Tree) -> None:
    written("usr/lib/systemd/system-preset/50-x.preset", "disable *\n")(fit)
    assert [row["check"] for row in found(fit)] == ["preset"]
    written("etc/systemd/system-preset/50-x.preset", "\n")(fit)
    assert found(fit) == []


def test_what_is_settled_needs_no_compose(fit: Tree) -> None:
    removed("usr/bin/docker-compose")(fit)
    assert found(fit) == []
    appended(f"{ETC}/compose.yaml", "    tty: true\n")(fit)
    assert [row["check"] for row in found(fit)] == ["compose"]


def test_the_image_may_be_below_a_usr_that_is_never_written(fit: Tree) -> None:
    no_image(fit)
    image(fit, "usr/share/sockwake/images", "postgres:18")
    assert found(fit) == []


def test_an_engine_s_image_travels_along(fit: Tree) -> None:
    fit.new("web", "--runtime", "engine")
    enable(fit, "pg-proxy@web.socket")
    place = f"{fit}/var/lib/sockwake/images/archives/postgres%3A18.tar"
    [row] = found(fit)
    assert row["command"] == f"skopeo copy SOURCE docker-archive:{place}"
    written(place.removeprefix(f"{fit}/"))(fit)
    assert found(fit) == []


def test_a_prepared_cluster_is_no_fault(fit: Tree) -> None:
    a_cluster_that_ran(fit)
    (fit.path / "var/lib/sockwake/shop/18/docker/postmaster.pid").unlink()
    assert found(fit) == []


def test_a_link_leads_where_it_leads_the_machine(fit: Tree, tmp_path: Path) -> None:
    """An absolute one into the tree, and one with too many dots not out of it."""
    (fit.path / "srv").mkdir()
    shutil.move(fit.path / "var/lib/sockwake", fit.path / "srv/sockwake")
    (fit.path / "var/lib/sockwake").symlink_to("../../srv/sockwake")
    shutil.move(fit.path / ETC, fit.path / "srv/shop")
    (fit.path / ETC).symlink_to("../../../../../../../../srv/shop")
    assert found(fit) == []
    # the same places of this host, which the tree's links do not mean
    outside = tmp_path / "outside"
    shutil.copytree(fit.path / "srv/shop", outside)
    (fit.path / ETC).unlink()
    (fit.path / ETC).symlink_to(outside)
    assert [row["check"] for row in found(fit)] == ["instance"]
    (fit.path / "var/lib/sockwake").unlink()
    (fit.path / "var/lib/sockwake").symlink_to(outside)
    refused(fit.sockwake("check"), FAILED, "leads out of the tree")


def test_links_in_circles_and_pipes_are_not_waited_for(fit: Tree) -> None:
    removed(f"{ETC}/compose.yaml")(fit)
    os.mkfifo(fit.path / ETC / "compose.yaml")
    removed("etc/machine-id")(fit)
    (fit.path / "etc/machine-id").symlink_to("/etc/machine-id")
    (fit.path / "etc/credstore").symlink_to("credstore")
    assert [row["check"] for row in found(fit)] == ["definition"]


def test_instances_that_are_not_there(fit: Tree, tmp_path: Path) -> None:
    assert found(Tree(tmp_path / "empty"))[0]["check"] == "instance"
    refused(fit.sockwake("check", "ghost"), UNKNOWN, "there is no instance 'ghost'")
    refused(fit.sockwake("check", "g*"), UNKNOWN, "no instance is called like 'g*'")
    refused(fit.sockwake("check", "Not/A-Name"), USAGE, "is not valid")
    refused(
        run(str(SOURCE / "bin/sockwake"), "check", "--root", f"{tmp_path}/none"),
        USAGE,
        "there is no directory",
    )


def test_without_a_tree_it_is_about_this_machine() -> None:
    ran = run(*SOCKWAKE, "check")
    assert ran.status == FAILED, ran
    assert ran.stdout.startswith("there is no instance in this machine: sockwake new NAME")


def refused(ran: Ran, status: int, said: str) -> None:
    assert (ran.status, ran.stdout) == (status, ""), ran
    assert said in ran.stderr


def test_names_choose_whose_faults_are_told(fit: Tree) -> None:
    fit.new("blog")
    written("etc/machine-id", "0123456789abcdef0123456789abcdef\n")(fit)
    assert [row["check"] for row in found(fit)] == ["socket", "clone"]
    assert found(fit, "shop") == []
    assert [row["instance"] for row in found(fit, "b*")] == ["blog"]
