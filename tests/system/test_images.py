"""Images that sockwake keeps itself: from engines, archives and registries."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import image_store as store
from image_store import images
from layered_image import ABOVE, BELOW, NAME, require_whole
from local_registry import serving
from oci_archive import Made, dockers, ocis
from program import must, run

KINDS = {"docker": dockers, "oci": ocis}


@pytest.fixture
def room(machine: None) -> Iterator[None]:
    """A store of this test's own."""
    with store.mounted("300m"):
        yield


@pytest.fixture
def archive(tmp_path: Path) -> Made:
    return dockers(tmp_path / "image.tar", NAME, BELOW, ABOVE)


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz"])
@pytest.mark.parametrize("kind", KINDS)
def test_an_archive_of_either_kind_is_loaded(
    room: None, tmp_path: Path, kind: str, mode: str
) -> None:
    made = KINDS[kind](tmp_path / "a strange:name", NAME, BELOW, ABOVE, mode=mode)
    images("load", str(made.path)).expect(0, f"Loaded {NAME} ({made.digest}).")
    require_whole(made.digest)


def test_no_engine_is_needed_for_it(room: None, archive: Made, tmp_path: Path) -> None:
    must("systemctl", "stop", "docker.socket", "docker.service", timeout=120)
    try:
        images("load", str(archive.path)).expect(0, NAME)
        images("save", NAME, str(tmp_path / "saved")).expect(0)
        images("rm", NAME).expect(0, f"Removed {NAME}")
    finally:
        must("systemctl", "start", "docker.socket", "docker.service", timeout=120)


def test_an_archive_without_a_name_is_known_by_its_digest(room: None, tmp_path: Path) -> None:
    made = ocis(tmp_path / "image", "\x1b[31m bad\nname:1", BELOW)
    images("load", str(made.path)).expect(0, f"Loaded {made.digest}")
    images("rm", made.digest[7:19]).expect(0, "Removed sha256:")
    assert store.rows() == []


def test_an_image_is_known_by_every_name_that_its_archive_has(room: None, tmp_path: Path) -> None:
    """As docker save writes one of which two names are asked for."""
    made = dockers(tmp_path / "image", "one:1 two:2", BELOW)
    said = images("load", str(made.path)).expect(0)
    assert said.out == f"Loaded one:1 ({made.digest}).\nLoaded two:2 ({made.digest}).\n"
    assert store.rows()[0]["names"] == ["one:1", "two:2"]
    images("rm", "two:2").expect(0)


def test_a_name_goes_to_the_image_that_got_it_last(room: None, tmp_path: Path) -> None:
    old = dockers(tmp_path / "old", "postgres:18", BELOW)
    new = dockers(tmp_path / "new", "docker.io/library/postgres:18", BELOW, ABOVE)
    for made in (old, new):
        images("load", str(made.path)).expect(0)
    named = {row["digest"]: row["image"] for row in store.rows()}
    assert named == {old.digest: "", new.digest: "docker.io/library/postgres:18"}
    images("rm", "postgres:18").expect(0)
    assert store.digests() == {old.digest}


def test_the_list_and_its_columns(room: None, archive: Made) -> None:
    images().expect(0, "There are no images.")
    images("load", str(archive.path)).expect(0)
    with store.needed(archive.digest, "pg1", "pg2"):
        short = archive.digest[7:19]
        assert images().out.split() == images("ls").out.split()
        head, line = images("ls").out.splitlines()
        assert head.split() == ["IMAGE", "DIGEST", "SIZE", "INSTANCES"]
        size = f"{store.rows()[0]['size'] / 1024:.1f}K"
        assert line.split() == [NAME, short, size, "pg1,", "pg2"]
        assert images("ls", "--no-header").out.splitlines() == [line]
        assert store.rows()[0]["instances"] == ["pg1", "pg2"]
    run("sockwake", "images", user="nobody").expect(1, "permission denied", "run this as root")


def test_what_is_needed_is_not_removed(room: None, archive: Made, tmp_path: Path) -> None:
    unneeded = dockers(tmp_path / "other", "other:1", BELOW)
    for made in (archive, unneeded):
        images("load", str(made.path)).expect(0)
    with store.needed(archive.digest, "pg1", "pg2"):
        images("rm", NAME).expect(4, f"image {NAME} is needed by the instances pg1, pg2")
        images("prune").expect(0, "Removed other:1 (")
        require_whole(archive.digest)
    images("rm", "nothing").expect(5, "there is no image 'nothing'")
    images("prune").expect(0, f"Removed {NAME}")
    images("prune").expect(0, "There is no image that no instance needs.")


def test_images_in_usr_are_listed_and_never_changed(room: None, archive: Made) -> None:
    images("load", str(archive.path)).expect(0)
    shutil.copytree(store.place_of(archive.digest), store.SHIPPED / archive.digest[7:])
    try:
        images("rm", NAME).expect(0)
        assert [row["shipped"] for row in store.rows()] == [True]
        images("load", str(archive.path)).expect(0)
        assert not store.place_of(archive.digest).exists()
        images("rm", NAME).expect(1, str(store.SHIPPED))
        images("prune").expect(0, "There is no image")
    finally:
        shutil.rmtree(store.SHIPPED)


def test_a_saved_image_is_loaded_by_all(room: None, archive: Made, tmp_path: Path) -> None:
    images("load", str(archive.path)).expect(0)
    saved = tmp_path / "saved.tar"
    images("save", NAME, str(saved)).expect(0, f"Saved {NAME} in {saved}.")
    assert saved.stat().st_mode & 0o777 == 0o600
    images("save", NAME, str(saved)).expect(3, f"{saved} is there already")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["image.tar", "saved.tar"]
    images("rm", NAME).expect(0)
    images("load", str(saved)).expect(0, NAME)
    require_whole(store.rows()[0]["digest"])
    for engine in filter(shutil.which, ("docker", "podman")):
        assert NAME in must(engine, "load", "--input", str(saved))
        config = must(engine, "image", "inspect", "--format={{json .Config.Env}}", NAME)
        must(engine, "rmi", NAME)
        assert config.strip() == '["A=1"]'


def test_a_saved_image_has_the_name_by_which_it_was_asked_for(room: None, tmp_path: Path) -> None:
    """Else it would take another image's name where it is loaded. And a path may have a colon."""
    made = dockers(tmp_path / "image", "postgres:18 mine:1", BELOW)
    images("load", str(made.path)).expect(0)
    (tmp_path / "12:30").mkdir()
    for asked, name in (("mine:1", "mine:1"), (made.digest, "postgres:18")):
        saved = tmp_path / f"12:30/{name}"
        images("save", asked, str(saved)).expect(0, f"Saved {name} in {saved}.")
        listed = must("tar", "--extract", "--to-stdout", "--file", str(saved), "manifest.json")
        (tag,) = json.loads(listed)[0]["RepoTags"]
        assert tag.endswith(name)


def test_the_store_becomes_root_s_alone(room: None, archive: Made) -> None:
    """Whatever made the directory, other users do not get at the setuid programs in it."""
    store.PLACE.chmod(0o755)
    images("load", str(archive.path)).expect(0)
    assert store.PLACE.stat().st_mode & 0o777 == 0o700
    require_whole(archive.digest)


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    """A registry that may be asked without TLS."""
    allowed = Path("/etc/containers/registries.conf.d/of-the-tests.conf")
    allowed.write_text('[[registry]]\nlocation = "localhost:5001"\ninsecure = true\n')
    try:
        with serving(tmp_path, 5001) as address:
            yield address
    finally:
        allowed.unlink()


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_an_image_is_pulled_without_an_engine(
    room: None, tmp_path: Path, registry: str, compression: str
) -> None:
    name = f"{registry}/kept:1"
    archive = ocis(tmp_path / "image.tar", NAME, BELOW, ABOVE)
    options = ("--dest-tls-verify=false", f"--dest-compress-format={compression}")
    must("skopeo", "copy", *options, f"oci-archive:{archive.path}", f"docker://{name}")
    images("pull", name).expect(0, "Writing manifest", f"Pulled {name} ({archive.digest}).")
    require_whole(archive.digest)
    assert "Copying" not in images("pull", name).expect(0, "Pulled").err
    images("rm", name).expect(0)
    assert images("pull", "--quiet", name).expect(0).err == ""
    images("pull", f"{registry}/nothing:1").expect(1, f"image {registry}/nothing:1")
    images("pull", "UPPER case").expect(1, "UPPER case")
    assert store.left() == []
