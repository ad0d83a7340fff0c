"""Images of docker and podman are taken from them as they are, and once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import docker_engine
import image_store as store
from account import Account
from layered_image import ABOVE, BELOW, NAME, require_whole
from oci_archive import Made, dockers
from program import must, run


@pytest.fixture
def room(machine: None) -> Iterator[None]:
    """A store of this test's own."""
    with store.mounted("300m"):
        yield


@pytest.fixture
def archive(tmp_path: Path) -> Made:
    return dockers(tmp_path / "image.tar", NAME, BELOW, ABOVE)


@pytest.mark.parametrize(
    ("engine", "transport"), [("docker", "docker-daemon"), ("podman", "containers-storage")]
)
def test_an_image_of_an_engine_is_taken_once(
    room: None, archive: Made, engine: str, transport: str
) -> None:
    if not shutil.which(engine):
        pytest.skip(f"{engine} is not installed")
    must(engine, "load", "--input", str(archive.path))
    try:
        digest = store.take(f"{transport}:{NAME}")
        engines = must(engine, "image", "inspect", "--format={{.Id}}", NAME).strip()
        assert digest == f"sha256:{engines.removeprefix('sha256:')}" == archive.digest
        require_whole(digest)
        before = store.rootfs(digest).stat().st_ctime_ns
        must(engine, "tag", NAME, "example.org/other:2")
        assert store.take(f"{transport}:example.org/other:2") == digest
        assert store.rootfs(digest).stat().st_ctime_ns == before
        assert store.rows()[0]["names"] == [NAME, "example.org/other:2"]
    finally:
        run(engine, "rmi", "--force", NAME, "example.org/other:2")
    assert f"image {NAME}" in missing(f"{transport}:{NAME}")


def missing(source: str) -> str:
    with pytest.raises(AssertionError) as raised:
        store.take(source)
    assert store.left() == []
    return str(raised.value)


def test_an_image_of_postgresql_runs_from_the_store(machine: None, image: str) -> None:
    """On the disk of the machine, where it stays for other tests."""
    rootfs = store.rootfs(store.take(f"docker-daemon:{image}"))
    version = must("chroot", str(rootfs), "/usr/lib/postgresql/18/bin/postgres", "--version")
    assert version.startswith("postgres (PostgreSQL) 18")
    assert image in str(store.rows())


@pytest.fixture
def containerds_store(machine: None) -> Iterator[None]:
    """Docker with containerd's image store, where an image has an ID that is not its digest."""
    if docker_engine.SETTINGS.exists():
        pytest.skip("docker has settings of its own")
    with docker_engine.running_with({"features": {"containerd-snapshotter": True}}):
        yield


def test_an_engine_may_have_ids_of_its_own(
    room: None, containerds_store: None, tmp_path: Path
) -> None:
    archive = dockers(tmp_path / "image.tar", NAME, BELOW)
    must("docker", "load", "--input", str(archive.path))
    try:
        engines = must("docker", "image", "inspect", "--format={{.Id}}", NAME).strip()
        assert engines != archive.digest
        assert store.take(f"docker-daemon:{NAME}") == archive.digest
        before = store.rootfs(archive.digest).stat().st_ctime_ns
        assert store.take(f"docker-daemon:{NAME}") == archive.digest
        assert store.rootfs(archive.digest).stat().st_ctime_ns == before
        assert engines in (store.place_of(archive.digest) / "notes.json").read_text()
    finally:
        run("docker", "rmi", "--force", NAME)


def test_a_user_has_a_store_of_its_own(account: Account, archive: Made) -> None:
    kept = account.home / "kept.tar"
    shutil.copyfile(archive.path, kept)
    kept.chmod(0o644)
    try:
        account.run("sockwake", "images", "load", "--user", str(kept)).expect(0, NAME)
        listed = account.run("sockwake", "images", "ls", "--user", "--no-header").expect(0).out
        assert listed.split()[:2] == [NAME, archive.digest[7:19]]
        place = account.home / ".local/share/sockwake/images" / archive.digest[7:]
        assert (place / "rootfs/bin/su").stat().st_uid == account.uid
        assert (place / "rootfs/data/own").stat().st_uid > account.uid
        account.must("podman", "load", "--quiet", "--input", str(kept))
        taken = account.run("python3", "-I", "-c", store.TAKE, f"containers-storage:{NAME}", "user")
        assert taken.expect(0).out.strip() == archive.digest
        account.run("sockwake", "images", "load", str(kept)).expect(1, "run this as root")
    finally:
        account.run("sockwake", "images", "prune", "--user").expect(0, f"Removed {NAME}")
        account.run("podman", "rmi", "--force", NAME)
        kept.unlink()
