"""Baking into a tree: by tools that ask nothing of this machine, for one that has only crun."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import image_store
import oci_archive
from baked_tree import BakedTree, hidden
from instances import Know, KnowService
from moment import until
from program import must, run, start
from web import get

POSTGRES = ("--version", "18", "--idle", "2s")
CONFIG = {"Cmd": ["postgres"], "Volumes": {"/var/lib/postgresql": {}}}
TARGETS = "etc/systemd/system/sockets.target.wants"
# no systemd, no engine, no network and no /run of this machine
ALONE = (
    *("unshare", "--net", "--mount"),
    *("sh", "-c", 'mount -t tmpfs none /run && exec "$@"', "alone"),
)


@pytest.fixture(scope="module")
def archive(image: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An archive with the image of the PostgreSQL, and no name for it."""
    path = tmp_path_factory.mktemp("archive") / "postgres.oci"
    must("skopeo", "copy", "--quiet", f"docker-daemon:{image}", f"oci-archive:{path}", timeout=180)
    return str(path)


@pytest.fixture(scope="module")
def baked(archive: str, tmp_path_factory: pytest.TempPathFactory) -> BakedTree:
    """A tree with two instances of one image."""
    return bake(BakedTree(tmp_path_factory.mktemp("baked") / "tree"), archive, ())


@pytest.fixture
def tree(machine: None, tmp_path: Path) -> BakedTree:
    return BakedTree(tmp_path / "tree")


@pytest.fixture
def no_archives(machine: None) -> Iterator[None]:
    """Take away the archives that have come along, and images that this machine has got."""
    yield
    run("rm", "-rf", str(image_store.PLACE / "archives"))
    image_store.images("prune")


def bake(tree: BakedTree, archive: str, before: tuple[str, ...]) -> BakedTree:
    options = ("--image-archive", archive, "--enable", "--env", "TOKEN=a$b", "--quiet")
    for name in ("pg1", "pg2"):
        said = tree.new(name, *POSTGRES, *options, before=before).expect(0)
        assert said.out + said.err == ""
    return tree


@pytest.mark.soak
def test_two_trees_get_the_same_whatever_is_on_the_machine(
    baked: BakedTree, archive: str, tree: BakedTree
) -> None:
    listening = must("ss", "-Hltn")
    bake(tree, archive, ALONE)
    assert tree.listed() == baked.listed()
    assert must("ss", "-Hltn") == listening and not Path("/etc/sockwake/pg1").exists()
    assert must("find", ".", "-newermt", "@1700000000", cwd=str(tree)) == "", "SOURCE_DATE_EPOCH"
    images = image_store.rows_of(str(tree))
    assert [row["instances"] for row in images] == [["pg1", "pg2"]]
    for place in ("etc/sockwake", "var/lib/sockwake/images"):
        run("grep", "-rlF", str(tree), str(tree.path / place)).expect(1)
    holders = must("grep", "-rl", "TOKEN", str(tree.path / "etc")).split()
    assert {Path(path).name for path in holders} == {"environment"}
    assert not list((tree.path / "etc").rglob("password"))


@pytest.mark.soak
def test_it_wakes_where_there_is_neither_an_engine_nor_compose(
    baked: BakedTree, known: Know
) -> None:
    database, other = known("pg1"), known("pg2")
    baked.boot()
    with hidden():
        for each in (database, other):
            must("systemctl", "start", each.socket)
            run("psql", "-h127.0.0.1", f"-p{each.port}", "-Upostgres", "-wc", "select 1").expect(2)
            assert each.psql("create table t as select 1; select * from t").endswith("1")
        assert database.password != other.password
        assert must("sockwake", "exec", "pg1", "--", "printenv", "TOKEN") == "a$b\n"
        database.asleep()
        database.set("IDLE", "3s")
        assert database.psql("select * from t") == "1", "an edit that compose has no part in"
        database.asleep()
        must("sockwake", "rename", "pg1", "shop")
        shop = known("shop")
        assert shop.psql("select * from t") == "1"
        shop.asleep()
        shop.edit_compose("shm_size: 256mb", "shm_size: 300mb")
        assert "docker-compose, which reads it, is not installed" in shop.fatal()
        shop.edit_compose("shm_size: 300mb", "shm_size: 256mb")
        assert shop.psql("select * from t") == "1"
        needed = [row for row in image_store.rows() if row["instances"]]
        image_store.images("prune").expect(0)  # of other tests there may be another postgres:18
        assert needed and image_store.rows() == needed
    shop.edit_compose("shm_size: 256mb", "shm_size: 300mb")
    shop.asleep()
    assert shop.psql("select * from t") == "1"


def test_it_is_done_in_a_user_namespace_with_all_users(machine: None) -> None:
    """As mmdebstrap has one; the image's files belong to those users."""
    first = 100_000
    place = Path(must("mktemp", "--directory", "--tmpdir=/var/tmp").strip())
    try:
        tree = BakedTree(place / "tree")
        member = oci_archive.Member("data", uid=999, gid=998)
        path = small(place / "image.tar", oci_archive.tar([member]))
        must("chown", "--recursive", f"{first}:{first}", str(place))
        users = (f"--map-{which}=0:{first}:65536" for which in ("users", "groups"))
        own = ("unshare", "--user", *users, "--setuid=0", "--setgid=0")
        options = (*POSTGRES, "--image-archive", path, "--enable")
        tree.new("pg1", *options, before=own).expect(0)
        (data,) = tree.path.glob("var/lib/sockwake/images/*/rootfs/data")
        assert (data.stat().st_uid, data.stat().st_gid) == (first + 999, first + 998)
        assert {path.lstat().st_uid for path in (tree.path / "etc").rglob("*")} == {first}
    finally:
        must("rm", "--recursive", str(place))


@pytest.mark.usefixtures("no_archives")
def test_what_an_engine_needs_travels_along_and_is_loaded_once(
    tree: BakedTree, nginx: str, known_service: KnowService, tmp_path: Path
) -> None:
    saved = str(tmp_path / "nginx.tar")
    must("docker", "save", "--output", saved, nginx, timeout=120)
    (tree.path / "srv/baked-shop").mkdir(parents=True)
    text = f"services:\n  web:\n    image: {nginx}\n    ports: ['127.0.0.1:8089:80']\n"
    (tree.path / "srv/baked-shop/compose.yaml").write_text(text)
    both = ("--image-archive", saved, "--engine", "docker", "--enable", "--idle", "1s", "--quiet")
    web = ("--kind", "container", "--image", nginx, "--container-port", "80")
    tree.new("web", *web, "--runtime", "engine", "--network", "none", *both).expect(0)
    tree.new("baked-shop", "--compose", "/srv/baked-shop", *both).expect(0)
    (carried,) = (tree.path / "var/lib/sockwake/images/archives").iterdir()
    assert carried.name == "nginx%3Alocal.tar" and carried.stat().st_mode & 0o777 == 0o600
    tree.boot()
    must("docker", "rmi", "--force", nginx)
    try:
        for name, port in (("web", 0), ("baked-shop", 8089)):
            service = known_service(name)
            must("systemctl", "start", service.socket)
            assert get(port or service.port).status == 200
            service.asleep()
        carried_here = image_store.PLACE / "archives" / carried.name
        carried_here.unlink()
        assert get(8089).status == 200, "it is in the engine by now"
        service.asleep()
    finally:
        run("docker", "load", "--input", saved, timeout=120)
        run("sockwake", "rm", "baked-shop")
        run("rm", "-r", "/srv/baked-shop")


def small(path: Path, *layers: bytes) -> str:
    """An archive of a PostgreSQL's image that is none, but can be baked."""
    return str(oci_archive.dockers(path, "postgres:18", *layers, config=CONFIG).path)


def cut(folder: Path) -> str:
    path = small(folder / "image.tar", oci_archive.many_files(100))
    with open(path, "r+b") as file:
        file.truncate(200_000)
    return path


def damaged(folder: Path) -> str:
    path = small(folder / "image.tar", oci_archive.many_files(100))
    with open(path, "r+b") as file:
        file.seek(100_000)
        file.write(b"\1" * 1000)
    return path


def for_others(folder: Path) -> str:
    path = Path(small(folder / "image.tar"))
    path.write_bytes(path.read_bytes().replace(b'"amd64"', b'"mips6"'))
    return str(path)


def not_its_own(folder: Path) -> str:
    return str(oci_archive.dockers(folder / "image.tar", "web:1", config=CONFIG).path)


def missing(folder: Path) -> str:
    return str(folder / "image.tar")


def impossible(folder: Path) -> str:
    config = {**CONFIG, "Volumes": {"/elsewhere": {}}}
    return str(oci_archive.dockers(folder / "image.tar", "postgres:18", config=config).path)


SPOILT: dict[Callable[[Path], str], str] = {
    cut: "is no archive that can be read",
    damaged: "image postgres:18 cannot be ",
    for_others: "image postgres:18 is for mips6, and the tree for ",
    not_its_own: "has no image postgres:18, but web:1",
    missing: "no such file or directory",
    impossible: "its image keeps data in /elsewhere",
}


@pytest.mark.fault
@pytest.mark.parametrize("spoil", SPOILT)
def test_a_bad_archive_leaves_the_tree_as_it_was(
    tree: BakedTree, tmp_path: Path, spoil: Callable[[Path], str]
) -> None:
    before = tree.listed()
    path = spoil(tmp_path)
    said = tree.new("pg1", *POSTGRES, "--enable", "--image-archive", path)
    assert said.status in (1, 2) and SPOILT[spoil] in said.err and not said.out, said
    assert tree.listed() == before
    rehearsed = tree.new("pg1", *POSTGRES, "--dry-run", "--image-archive", path)
    if spoil not in (damaged, impossible):  # which only show when it is unpacked
        assert (rehearsed.status, rehearsed.err) == (said.status, said.err)
    assert tree.listed() == before


@pytest.mark.fault
def test_a_place_that_cannot_be_baked_into_is_left_as_it_was(
    tree: BakedTree, tmp_path: Path
) -> None:
    path = small(tmp_path / "image.tar", oci_archive.many_files())
    options = (*POSTGRES, "--image-archive", path)
    before = tree.listed()
    may_look = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
    user = ("setpriv", "--reuid=nobody", *may_look)
    tree.new("pg1", *options, before=user).expect(1, "only root can")
    alone = ("unshare", "--user", "--map-root-user")
    tree.new("pg1", *options, before=alone).expect(1, "this user namespace has 1 users")
    assert tree.listed() == before
    run("sockwake-new", "pg1", *options).expect(2, "is for a tree (--root)")
    run("sockwake-new", "pg1", *options, "--root", "/").expect(2, "is for a tree (--root)")
    (tmp_path / "empty").mkdir()
    said = run("sockwake-new", "pg1", *options, "--root", str(tmp_path / "empty"))
    said.expect(2, "there is no system with sockwake in")
    assert not list((tmp_path / "empty").iterdir())
    place = tree.path / "var/lib"
    must("mount", "-t", "tmpfs", "-o", "size=20m", "none", str(place))
    try:
        before = tree.listed()
        tree.new("pg1", *options, "--enable").expect(1, "there is no room for image postgres:18")
        assert tree.listed() == before
    finally:
        must("umount", str(place))


@pytest.mark.fault
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_bake_that_was_killed_is_whole_or_goes_with_the_next(
    tree: BakedTree, tmp_path: Path, number: signal.Signals
) -> None:
    path = small(tmp_path / "image.tar", oci_archive.many_files())
    options = (*POSTGRES, "--image-archive", path, "--enable", "--root", str(tree))
    before = tree.listed()
    images = tree.path / "var/lib/sockwake/images"
    process = start("sockwake-new", "pg1", *options)
    until("it unpacks", lambda: bool(list(images.glob(".new-*/image/rootfs/f*"))))
    process.send_signal(number)
    process.communicate(timeout=60)
    if number != signal.SIGKILL:
        assert process.returncode == 130 and tree.listed() == before
    time.sleep(0.1)  # its children end with it
    tree.new("pg1", *POSTGRES, "--image-archive", path, "--enable").expect(0)
    assert [each.name for each in (tree.path / "etc/sockwake").iterdir()] == ["pg1"]
    assert len(list(images.iterdir())) == 1
    assert (tree.path / TARGETS / "pg-proxy@pg1.socket").is_symlink()


def test_images_are_loaded_for_machines_that_only_read_them(
    tree: BakedTree, tmp_path: Path
) -> None:
    path = small(tmp_path / "image.tar")
    before = tree.listed()
    image_store.images("load", path, "--ship").expect(2, "--ship is for a tree")
    load = ("load", cut(tmp_path), "--ship", "--root", str(tree))
    image_store.images(*load).expect(1)
    assert tree.listed() == before
    path = small(tmp_path / "image.tar")
    image_store.images("load", path, "--ship", "--root", str(tree)).expect(0, "Loaded postgres:18")
    tree.new("pg1", *POSTGRES, "--enable").expect(0)
    assert not (tree.path / "var/lib/sockwake").exists()
    (row,) = image_store.rows_of(str(tree))
    assert (row["shipped"], row["instances"]) == (True, ["pg1"])
