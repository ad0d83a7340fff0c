"""Where an instance's certificate and key are written, and how the server gets its copies."""

import os
import shutil
import stat
from pathlib import Path

import pytest

from env_file import env
from sockwake.config import settings
from sockwake.config.instance import Instance
from sockwake.postgres import tls
from tree import Tree

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")


def test_a_pair_is_written_with_the_key_for_root_alone(tree: Tree, pair: tuple[Path, Path]) -> None:
    described = tree.new("pg1", "--tls-cert", str(pair[0]), "--tls-key", str(pair[1]))
    instance = tree.instance("pg1")
    assert (described["tls"], settings.load(instance).tls) == (True, True)
    assert {
        path: tree.snapshot()[f"etc/sockwake/pg1/{path}"] for path in ("server.crt", "server.key")
    } == {"server.crt": (0o644, pair[0].read_text()), "server.key": (0o600, pair[1].read_text())}
    verified = "sslmode=verify-full&sslrootcert=/etc/sockwake/pg1/server.crt"  # of the machine
    assert described["dsn"] == f"postgresql://postgres@127.0.0.1:25432/postgres?{verified}"


def test_a_tree_gets_no_key_and_each_of_its_machines_its_own(tree: Tree) -> None:
    tree.new("pg1", "--tls")
    instance = tree.instance("pg1")
    assert not os.path.exists(instance.tls_key) and not os.path.exists(instance.tls_certificate)
    tls.make_missing(instance, settings.load(instance))
    first = Path(instance.tls_key).read_text()
    assert stat.S_IMODE(os.stat(instance.tls_key).st_mode) == 0o600 and "PRIVATE KEY" in first
    tls.make_missing(instance, settings.load(instance))
    assert Path(instance.tls_key).read_text() == first


def test_the_key_is_in_no_dry_run(tree: Tree, pair: tuple[Path, Path]) -> None:
    given = ("--tls-cert", str(pair[0]), "--tls-key", str(pair[1]))
    ran = tree.sockwake("new", "pg1", "--version", "18", "--dry-run", *given)
    assert "server.key (0600)\n(secret)\n" in ran.stdout and "PRIVATE KEY" not in ran.stdout


def test_without_tls_no_key_is_made(tree: Tree) -> None:
    instance = tree.write_env("pg1", env())
    tls.make_missing(instance, settings.load(instance))
    assert not os.path.exists(instance.tls_key)


def with_cluster(tree: Tree, pair: tuple[Path, Path]) -> tuple[Instance, Path]:
    """A TLS instance and the directory of its cluster."""
    tree.new("pg1", "--tls-cert", str(pair[0]), "--tls-key", str(pair[1]))
    tree.write_cluster("/var/lib/sockwake/pg1/18/docker", "18")
    return tree.instance("pg1"), tree.path / "var/lib/sockwake/pg1/18/docker"


def test_the_server_gets_private_copies_and_new_ones_when_the_files_change(
    tree: Tree, pair: tuple[Path, Path]
) -> None:
    instance, cluster = with_cluster(tree, pair)
    tls.place(instance, settings.load(instance))
    assert (cluster / "server.key").read_text() == pair[1].read_text()
    assert stat.S_IMODE((cluster / "server.key").stat().st_mode) == 0o600
    before = (cluster / "server.key").stat().st_ino
    tls.place(instance, settings.load(instance))
    assert (cluster / "server.key").stat().st_ino == before, "the same is not written again"
    Path(instance.tls_certificate).write_text("renewed\n")
    tls.place(instance, settings.load(instance))
    assert (cluster / "server.crt").read_text() == "renewed\n"


@pytest.mark.parametrize("name", ["server.key", "server.key.new"])
def test_a_link_planted_in_the_cluster_is_replaced_and_not_followed(
    tree: Tree, pair: tuple[Path, Path], name: str
) -> None:
    instance, cluster = with_cluster(tree, pair)
    victim = tree.path / "victim"
    victim.write_text(pair[1].read_text())
    (cluster / name).symlink_to(victim)
    victim_before = victim.stat()
    tls.place(instance, settings.load(instance))
    assert victim.stat() == victim_before
    assert (
        not (cluster / "server.key").is_symlink()
        and (cluster / "server.key").read_text() == pair[1].read_text()
    )
