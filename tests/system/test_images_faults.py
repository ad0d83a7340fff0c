"""An image is whole or not there, whatever its archive has in it and whenever it is killed."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator
from itertools import cycle, product
from pathlib import Path

import pytest

import image_store as store
from image_store import PLACE, images
from oci_archive import (
    Made,
    Member,
    directory,
    dockers,
    hard_link,
    link,
    many_files,
    ocis,
    tar,
    write,
)
from program import must, run
from soak import SOAK

NAME = "example.org/kept:1"
SMALL = tar([Member("file", b"whole")])
pytestmark = pytest.mark.fault


@pytest.fixture
def room(machine: None) -> Iterator[None]:
    """A store of this test's own."""
    with store.mounted("400m"):
        yield


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """An archive whose unpacking takes a while."""
    layers = [many_files() for _ in range(4)]
    return dockers(tmp_path_factory.mktemp("slow") / "image.tar", NAME, *layers)


def loading(archive: Made) -> subprocess.Popen[bytes]:
    return subprocess.Popen(["sockwake", "images", "load", str(archive.path)])


def work() -> list[Path]:
    return list(PLACE.glob(".new-*"))


def has(name: str) -> bool:
    return any(list(path.glob(name)) for path in work())


SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
MOMENTS: dict[str, Callable[[], bool]] = {
    "begun": lambda: bool(work()),
    "fetching": lambda: has("fetched/*"),
    "fetched": lambda: has("fetched.oci/index.json"),
    "unpacking": lambda: has("image/rootfs/f00100"),
    "unpacked": lambda: has("image/config.json"),
}


def signalled_when(reached: Callable[[], bool], archive: Made, number: signal.Signals) -> None:
    """Load an archive, and signal that at a moment; anew where it was over by then."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        process = loading(archive)
        # no pause: some of the moments last for milliseconds
        while not reached() and process.poll() is None:
            assert time.monotonic() < end, "it never got there"
        was_in_time = process.poll() is None
        process.send_signal(number)
        process.wait(30)
        if was_in_time:
            return
        images("rm", NAME).expect(0)
    raise AssertionError("it was always over before")


@pytest.mark.parametrize(
    "moment, number",
    list(product(MOMENTS, SIGNALS)) if SOAK else list(zip(MOMENTS, cycle(SIGNALS))),
)
def test_killed_at_any_moment(room: None, slow: Made, moment: str, number: signal.Signals) -> None:
    signalled_when(MOMENTS[moment], slow, number)
    assert store.digests() in (set(), {slow.digest})
    if number != signal.SIGKILL:
        assert store.left() == []
    images("load", str(slow.path)).expect(0, NAME)
    unpacked = [path for path in store.rootfs(slow.digest).iterdir() if path.is_file()]
    assert store.left() == [] and len(unpacked) == 3000
    assert run("pgrep", "skopeo|umoci").status == 1


def test_killed_while_it_removes(room: None, slow: Made) -> None:
    images("load", str(slow.path)).expect(0)
    process = subprocess.Popen(["sockwake", "images", "rm", NAME])
    while not list(PLACE.glob(".gone-*")) and process.poll() is None:
        time.sleep(0.001)
    process.kill()
    process.wait(30)
    assert store.rows() == []
    images("load", str(slow.path)).expect(0)
    assert store.left() == [] and store.digests() == {slow.digest}


def test_two_at_once_share_one(room: None, slow: Made) -> None:
    both = [loading(slow) for _ in range(2)]
    assert [process.wait(120) for process in both] == [0, 0]
    assert store.digests() == {slow.digest} and store.left() == []


def test_no_room_is_told_before(machine: None, slow: Made) -> None:
    with store.mounted("40m"):
        images("load", str(slow.path)).expect(1, "there is no room for image", "40 MB left")
        assert store.rows() == [] and store.left() == []


@pytest.mark.parametrize("size", ["30m", "150m"])
def test_no_room_that_shows_in_the_middle(machine: None, tmp_path: Path, size: str) -> None:
    layer = tar([Member("zeros", bytes(100 << 20))])
    made = ocis(tmp_path / "image.tar.gz", NAME, layer, mode="w:gz")
    with store.mounted(size):
        images("load", str(made.path)).expect(1, "there is no room for image")
        assert store.rows() == [] and store.left() == []


def test_no_room_for_names(machine: None, tmp_path: Path) -> None:
    """A file system may have no inode left, and bytes enough."""
    made = dockers(tmp_path / "image.tar", NAME, tar(Member(f"f{n}") for n in range(3000)))
    with store.mounted("200m,nr_inodes=1000"):
        images("load", str(made.path)).expect(1, "there is no room for image")
        assert store.rows() == [] and store.left() == []


def without(path: Path, *names: str) -> bytes:
    """The archive without the files that have one of these in their names."""
    with tarfile.open(path) as archive:
        kept = {
            member.name: inside.read()
            for member in archive
            if not any(name in member.name for name in names)
            and (inside := archive.extractfile(member))
        }
    write(path, kept)
    return path.read_bytes()


DAMAGES: dict[str, Callable[[Path], bytes]] = {
    "a byte": lambda path: path.read_bytes().replace(b"whole", b"wHole"),
    "the end": lambda path: path.read_bytes()[:3000],
    "the end of what is compressed": lambda path: gzip.compress(path.read_bytes())[:-200],
    "no list": lambda path: without(path, "manifest.json", "index.json"),
    "no blobs": lambda path: without(path, "blobs", ".tar"),
    "no archive": lambda _: b"text\n",
    "nothing": lambda _: b"",
    "zstd": lambda _: b"\x28\xb5\x2f\xfd" + bytes(100),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("kind", [dockers, ocis])
def test_a_broken_archive_is_refused(
    room: None, tmp_path: Path, kind: Callable[..., Made], damage: str
) -> None:
    made = kind(tmp_path / "image.tar", NAME, SMALL)
    made.path.write_bytes(DAMAGES[damage](made.path))
    said = images("load", str(made.path))
    assert said.status in (1, 2) and said.err.startswith("sockwake: error: "), said
    assert "Traceback" not in said.err and store.rows() == [] and store.left() == []


@pytest.mark.parametrize("config", [{"Cmd": "text"}, {}], ids=["odd", "empty"])
def test_an_odd_configuration_is_kept_as_it_is(room: None, tmp_path: Path, config: dict) -> None:  # type: ignore[type-arg]
    made = dockers(tmp_path / "image.tar", NAME, SMALL, config=config)
    said = images("load", str(made.path))
    assert said.status in (0, 1) and "Traceback" not in said.err
    assert store.left() == []


HOSTILE = {
    "a way up": [Member("../../../../../../../../hostile/up", b"x")],
    "an absolute name": [Member("/hostile/absolute", b"x")],
    "a link to a directory": [link("out", "/hostile"), Member("out/through", b"x")],
    "a link up": [link("out", "../../../../../../../hostile"), Member("out/through", b"x")],
    "a link of a link": [link("a", "b/.."), link("b", "/hostile/x"), Member("a/through", b"x")],
    "a link to a file": [link("file", "/hostile/precious"), Member("file", b"x")],
    "a hard link": [hard_link("file", "/hostile/precious"), Member("file", b"x")],
    "a hard link up": [hard_link("f", "../../../../../../hostile/precious"), Member("f", b"x")],
    "a whiteout": [link("out", "/hostile"), Member("out/.wh.precious")],
    "a whiteout up": [Member(".wh..")],
    "a whiteout of the parent": [directory("d"), Member("d/.wh...")],
    "an opaque directory": [link("out", "/hostile"), Member("out/.wh..wh..opq")],
    "the root itself": [link(".", "/hostile"), Member("through", b"x")],
    "a mode of a link": [link("out", "/hostile/precious"), directory("out", 0o777)],
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_archive_touches_nothing_outside(room: None, tmp_path: Path, what: str) -> None:
    victim = Path("/hostile")
    victim.mkdir()
    neighbour = ocis(tmp_path / "neighbour", "neighbour:1", SMALL)
    images("load", str(neighbour.path)).expect(0)
    try:
        (victim / "precious").write_text("precious")
        (victim / "precious").chmod(0o640)
        os.link(victim / "precious", victim / "also")
        before = store.described(victim), (victim / "precious").stat()
        layers = [tar([member]) for member in HOSTILE[what]]
        for number, made in enumerate(
            (
                dockers(tmp_path / "one", "one:1", tar(HOSTILE[what])),
                ocis(tmp_path / "two", "two:1", *layers),
            )
        ):
            said = images("load", str(made.path))
            assert said.status in (0, 1) and "Traceback" not in said.err, number
            assert (store.described(victim), (victim / "precious").stat()) == before
            with store.needed(neighbour.digest, "pg1"):
                images("prune").expect(0)
            assert (store.described(victim), (victim / "precious").stat()) == before
        assert [path.name for path in PLACE.iterdir()] == [neighbour.digest[7:]]
        assert store.rootfs(neighbour.digest).joinpath("file").read_text() == "whole"
    finally:
        must("rm", "--recursive", str(victim))


def test_a_hostile_list_names_no_file_outside(room: None, tmp_path: Path) -> None:
    """skopeo reads members of the archive, and a digest is no path."""
    config = '{"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"diff_ids": []}}'
    text = '[{"Config": "/etc/passwd", "RepoTags": ["a:1"], "Layers": ["../../etc/shadow"]}]'
    write(tmp_path / "one", {"manifest.json": text.encode(), "c.json": config.encode()})
    index = '{"schemaVersion": 2, "manifests": [{"digest": "sha256:../../../etc", "size": 1}]}'
    layout = b'{"imageLayoutVersion": "1.0.0"}'
    write(tmp_path / "two", {"index.json": index.encode(), "oci-layout": layout})
    for name in ("one", "two"):
        images("load", str(tmp_path / name)).expect(1, "sockwake: error: ")
    assert list(PLACE.iterdir()) == []
