"""A tree that is fit for an image, and what makes it unfit."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from env_file import env
from tree import Tree, run

DIGEST = "ab" * 32
COMMANDS = "python3 flock crun cmp mount umount unshare dockerd docker-compose"
PROGRAMS = (
    *(
        f"usr/bin/{name}"
        for name in "python3 flock crun cmp mount umount unshare dockerd docker-compose".split()
    ),
    *("usr/sbin/ip", "usr/lib/systemd/systemd-socket-proxyd", "usr/libexec/sockwake/proxy"),
    "usr/lib/systemd/system-generators/sockwake-generator",
)
OTHER = "[Socket]\nListenStream={}\n[Install]\nWantedBy=sockets.target\n"
Damage = Callable[[Tree], object]


def make_fit(tree: Tree) -> None:
    """Give a tree what an image of it needs, with one instance."""
    for name in PROGRAMS:
        write(tree, name, "#!/bin/sh\n", 0o755)
    write(tree, "usr/share/containers/seccomp.json", "{}")
    write(tree, "usr/lib/systemd/system/sockets.target", "[Unit]\n")
    write(tree, "etc/machine-id", "")
    status = "Package: sockwake\nStatus: install ok installed\nVersion: 9:1\n"
    write(tree, "var/lib/dpkg/status", status)
    image(tree, "var/lib/sockwake/images", "postgres:18")
    tree.new("shop")
    enable(tree, "pg-proxy@shop.socket")


def write(tree: Tree, name: str, text: str, mode: int = 0o644) -> None:
    path = tree.path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def image(tree: Tree, place: str, name: str) -> None:
    write(tree, f"{place}/{DIGEST}/config.json", '{"config": {}}')
    write(tree, f"{place}/{DIGEST}/rootfs/usr/bin/postgres", "")
    noted = {"names": [name], "engine_ids": [], "size": 1}
    write(tree, f"{place}/{DIGEST}/notes.json", json.dumps(noted))


def enable(tree: Tree, unit: str) -> None:
    ran = run("systemctl", f"--root={tree}", "--quiet", "enable", unit)
    assert ran.status == 0, ran


def appended(name: str, text: str) -> Damage:
    def damage(tree: Tree) -> None:
        write(tree, name, (tree.path / name).read_text() + text)

    return damage


def written(name: str, text: str = "x\n", mode: int = 0o644) -> Damage:
    return lambda tree: write(tree, name, text, mode)


def removed(name: str) -> Damage:
    return lambda tree: (tree.path / name).unlink()


def no_image(tree: Tree) -> None:
    shutil.rmtree(tree.path / "var/lib/sockwake/images")


def half_an_image(tree: Tree) -> None:
    shutil.rmtree(tree.path / f"var/lib/sockwake/images/{DIGEST}/rootfs")


def masked(tree: Tree) -> None:
    (tree.path / "etc/systemd/system/pg-proxy@shop.socket").symlink_to("/dev/null")


def another_with_all_addresses(tree: Tree) -> None:
    port = json.loads(tree.sockwake("ls", "--json").stdout)[0]["port"]
    tree.new("blog", "--port", "25999")
    path = Path(tree.instance("blog").env_file)
    lines = path.read_text().replace("PORT=25999", f"PORT={port}")
    path.write_text(lines.replace("LISTEN=127.0.0.1", "LISTEN=0.0.0.0"))
    enable(tree, "pg-proxy@blog.socket")


def another_socket(stream: str, drop_in: str = "") -> Damage:
    def damage(tree: Tree) -> None:
        write(tree, "usr/lib/systemd/system/other.socket", OTHER.format(stream))
        if drop_in:
            write(tree, "etc/systemd/system/other.socket.d/port.conf", OTHER.format(drop_in))
        enable(tree, "other.socket")

    return damage


def a_debian_cluster(tree: Tree) -> None:
    write(tree, "etc/postgresql/17/main/postgresql.conf", "port = 25432\n")


def a_cluster_that_ran(tree: Tree) -> None:
    tree.write_cluster("/var/lib/sockwake/shop/18/docker", "18")
    (tree.path / "etc/sockwake/shop/uninitialised").unlink()
    write(tree, "var/lib/sockwake/shop/18/docker/postmaster.pid", "1\n")


def a_cluster_with_its_password(tree: Tree) -> None:
    a_cluster_that_ran(tree)
    (tree.path / "var/lib/sockwake/shop/18/docker/postmaster.pid").unlink()
    write(tree, "var/lib/sockwake/shop/sockwake-password", "secret\n", 0o600)


def the_host_s_server(tree: Tree) -> None:
    text = env(KIND="postgres", RUNTIME="host", VERSION="17", DB_USER="u", DB_NAME="u", PORT="2600")
    tree.write_env("own", text)
    write(tree, "etc/sockwake/own/service.conf", "[Service]\nExecStart=/usr/bin/crun\n")
    write(tree, "etc/sockwake/own/uninitialised", "")
    enable(tree, "pg-proxy@own.socket")


ETC = "etc/sockwake/shop"
KEY = "-----BEGIN EC PRIVATE KEY-----\nx\n"


def unresolved(tree: Tree) -> None:
    (tree.path / "usr/bin/docker-compose").unlink()
    (tree.path / "etc/sockwake/shop/resolved.json").unlink()
