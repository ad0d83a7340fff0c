"""The images of a system tree: found, listed, kept and removed. They are made here by hand."""

import fcntl
import io
import json
import os
import tarfile
from hashlib import sha256
from pathlib import Path

import pytest

from sockwake.engine import archives
from sockwake.errors import IN_USE, UNKNOWN, SockwakeError
from sockwake.oci import needs, pins, store
from tree import Tree, unchangeable

PLACE = "var/lib/sockwake/images"
SHIPPED = "usr/share/sockwake/images"


def make(tree: Tree, *names: str, place: str = PLACE, engine_id: str = "") -> str:
    """An image with these names; its digest."""
    text = json.dumps({"config": {"Cmd": list(names)}})
    digits = sha256(text.encode()).hexdigest()
    image = tree.path / place / digits
    (image / "rootfs").mkdir(parents=True)
    image.parent.chmod(0o700)
    (image / "rootfs/file").write_text("x" * 1000)
    (image / "config.json").write_text(text)
    noted = {"names": names, "engine_ids": [engine_id] if engine_id else [], "size": 1000}
    (image / "notes.json").write_text(json.dumps(noted))
    return f"sha256:{digits}"


def need(tree: Tree, instance: str, digest: str, note: str = "image") -> None:
    bundle = tree.path / "var/lib/sockwake/bundles" / instance
    bundle.mkdir(parents=True, exist_ok=True)
    (bundle / note).write_text(f"{digest}\n")


def test_it_is_found_by_digest_by_an_engines_id_and_by_name(tree: Tree) -> None:
    root, engines = str(tree), f"sha256:{'e' * 64}"
    digest = make(tree, "postgres:18", engine_id=engines)
    make(tree, "other:1")
    for found in (store.find(digest, root), store.find(engines, root)):
        assert found and (found.digest, found.config) == (digest, {"Cmd": ["postgres:18"]})
    for name in ("postgres:18", "docker.io/library/postgres:18", digest, digest[7:19]):
        assert store.named(name, root).digest == digest
    for missing in (f"sha256:{'0' * 64}", "", "sha256:..", "postgres:18"):
        assert store.find(missing, root) is None
    with pytest.raises(SockwakeError, match="there is no image 'postgres:17'"):
        store.named("postgres:17", root)


def test_the_list_has_what_is_shipped_once(tree: Tree) -> None:
    digest = make(tree, "one:1")
    assert make(tree, "one:1", place=SHIPPED) == digest
    shipped = make(tree, "two:2", place=SHIPPED)
    need(tree, "pg1", shipped)
    rows = json.loads(tree.sockwake("images", "ls", "--json").stdout)
    assert {row["digest"]: (row["shipped"], row["instances"], row["size"]) for row in rows} == {
        digest: (False, [], 1000),
        shipped: (True, ["pg1"], 1000),
    }


def test_prune_keeps_what_is_needed_now_or_to_go_back(tree: Tree) -> None:
    kept, before, gone = make(tree, "kept:1"), make(tree, "before:1"), make(tree, "gone:1")
    shipped = make(tree, "shipped:1", place=SHIPPED)
    need(tree, "pg1", kept)
    need(tree, "pg1", before, "image-before")
    assert needs.needed(str(tree)) == {kept: ["pg1"], before: ["pg1"]}
    ran = tree.sockwake("images", "prune")
    assert (ran.status, ran.stdout) == (0, "Removed gone:1 (1000B).\n")
    assert store.find(gone, str(tree)) is None
    assert {image.digest for image in store.images(str(tree))} == {kept, before, shipped}


def test_prune_keeps_what_the_clusters_of_two_versions_are_served_with(tree: Tree) -> None:
    """From the first step of an upgrade until the cluster that is not served is forgotten."""
    old, new = make(tree, "postgres:17"), make(tree, "postgres:18")
    need(tree, "pg1", new)
    note = tree.path / "etc/sockwake/pg1/upgraded"
    note.parent.mkdir(parents=True)
    note.write_text(json.dumps({"old": {"digest": old}, "new": {"digest": new}}))
    assert needs.needed(str(tree)) == {old: ["pg1"], new: ["pg1"]}
    assert tree.sockwake("images", "rm", "postgres:17").status == IN_USE
    for damaged in ("", "{", "[]", '{"old": 1}'):
        note.write_text(damaged)
        assert needs.needed(str(tree)) == {new: ["pg1"]}
    assert tree.sockwake("images", "prune").stdout == "Removed postgres:17 (1000B).\n"


def test_prune_keeps_what_the_next_wake_takes_by_its_name(tree: Tree) -> None:
    """Of an instance without a bundle, and of one whose files name another image than that has."""
    tree.new("pg1", "--version", "18")
    named, other = make(tree, "docker.io/library/postgres:18"), make(tree, "other:1")
    assert needs.needed(str(tree)) == {named: ["pg1"]}
    ran = tree.sockwake("images", "rm", "postgres:18")
    assert ran.status == IN_USE and "is needed by the instance pg1" in ran.stderr
    had = make(tree, "had:1")
    need(tree, "pg1", had)
    need(tree, "pg1", "postgres:18", "reference")
    assert needs.needed(str(tree)) == {had: ["pg1"]}, "its bundle keeps the image that it has"
    edits = {
        "instance.env": ("IMAGE=postgres:18", "IMAGE=other:1"),
        "compose.yaml": ("image: ${IMAGE}", "image: 'other:1'"),
    }
    for file, (before, after) in edits.items():
        path = tree.path / "etc/sockwake/pg1" / file
        text = path.read_text()
        path.write_text(text.replace(before, after))
        assert needs.needed(str(tree)) == {had: ["pg1"], other: ["pg1"]}
        path.write_text(text)
    assert tree.sockwake("runtime", "pg1", "engine").status == 0
    (tree.path / "var/lib/sockwake/bundles/pg1/image").unlink()
    assert needs.needed(str(tree)) == {}, "an engine has its own"


def test_one_that_cannot_be_removed_keeps_no_other_from_it(tree: Tree) -> None:
    stays, gone = sorted((make(tree, "one:1"), make(tree, "two:1")))
    path = tree.path / PLACE / stays.removeprefix("sha256:")
    with unchangeable(path):
        ran = tree.sockwake("images", "prune")
    assert ran.status == 1 and ran.stdout.count("Removed ") == 1, ran
    assert f":1: cannot use {path}: operation not permitted" in ran.stderr
    assert "sockwake: error: not all of them were removed" in ran.stderr
    assert [image.digest for image in store.images(str(tree))] == [stays] != [gone]


def put_archive(place: Path, file: str, tag: str, mode: int = 0o600) -> None:
    """An archive of docker's kind, as skopeo writes it for a tree."""
    text = json.dumps([{"Config": "c.json", "RepoTags": [tag], "Layers": []}]).encode()
    with tarfile.open(place / file, "w") as archive:
        member = tarfile.TarInfo("manifest.json")
        member.size = len(text)
        archive.addfile(member, io.BytesIO(text))
    (place / file).chmod(mode)


def test_prune_takes_our_archives_that_no_instance_names(tree: Tree) -> None:
    """And none where a variable may mean it, or that is not as ours are."""
    place = tree.path / PLACE / "archives"
    place.mkdir(parents=True, mode=0o700)
    tree.new("pg1", "--version", "18", "--runtime", "engine")
    old = "host:5000/team/old:1"
    put_archive(place, archives.file_of("postgres:18"), "docker.io/library/postgres:18")
    put_archive(place, archives.file_of(old), old)
    put_archive(place, archives.file_of("packaged:1"), "docker.io/library/packaged:1", 0o644)
    put_archive(place, "by-hand.tar", "docker.io/library/other:1")
    (place / "by:hand.tar").touch(mode=0o600)
    (place / archives.file_of("damaged:1")).touch(mode=0o600)
    compose = tree.path / "etc/sockwake/pg1/compose.yaml"
    plain = compose.read_text()
    compose.write_text(f"{plain}# ${{OTHER}}\n")
    before = set(place.iterdir())
    assert tree.sockwake("images", "prune").stdout.startswith("There is no image")
    compose.write_text(plain)
    gone = f"Removed the archive of {old} ("
    assert tree.sockwake("images", "prune").stdout.startswith(gone)
    assert before - set(place.iterdir()) == {place / archives.file_of(old)}


def test_what_is_needed_shipped_or_missing_is_not_removed(tree: Tree) -> None:
    need(tree, "pg1", make(tree, "kept:1"))
    make(tree, "shipped:1", place=SHIPPED)
    before = tree.snapshot()
    for name, status in (("kept:1", IN_USE), ("shipped:1", 1), ("nothing:1", UNKNOWN)):
        ran = tree.sockwake("images", "rm", name)
        assert (ran.status, ran.stdout) == (status, "") and ran.stderr.count("error: ") == 1
    assert tree.added_to(before) == []


def test_nothing_is_removed_while_an_instance_is_being_made(tree: Tree) -> None:
    make(tree, "one:1")
    draft = tree.path / "etc/sockwake/.new-pg1"
    draft.mkdir(parents=True)
    (draft / "instance.env").write_text("")
    lock = os.open(draft, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        for arguments in (("prune",), ("rm", "one:1")):
            ran = tree.sockwake("images", *arguments)
            assert ran.status == IN_USE and "instance 'pg1' is being made" in ran.stderr
    finally:
        os.close(lock)
    assert tree.sockwake("images", "prune").status == 0


def test_none_is_removed_while_a_bundle_that_may_need_it_is_written(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = store.find(make(tree, "one:1"), str(tree))
    assert image
    monkeypatch.setattr(pins, "_A_MOMENT", 0.1)
    with pins.unchanged(str(tree)), pytest.raises(SockwakeError, match="was not free within"):
        store.remove(image, str(tree))
    assert store.find(image.digest, str(tree)) == image
    store.remove(image, str(tree))
    assert store.images(str(tree)) == []


def test_leavings_of_a_killed_command_go_and_are_no_images(tree: Tree) -> None:
    digest = make(tree, "one:1")
    place = tree.path / PLACE
    for name in (".new-x1", f".gone-{digest[7:]}"):
        (place / name / "image/rootfs").mkdir(parents=True)
    (place / "strange").mkdir()
    assert [image.digest for image in store.images(str(tree))] == [digest]
    with store.locked(str(tree)):
        pass
    assert sorted(path.name for path in place.iterdir()) == sorted([digest[7:], "strange"])


def test_a_damaged_image_is_told_with_the_way_out(tree: Tree) -> None:
    digest = make(tree, "one:1")
    image = Path(str(tree), PLACE, digest[7:])
    (image / "config.json").write_text("{")
    ran = tree.sockwake("images", "ls")
    assert ran.status == 1 and f"rm -r {image}" in ran.stderr
    (image / "config.json").write_text('{"config": {}}')
    (image / "notes.json").write_text("[]")
    assert json.loads(tree.sockwake("images", "ls", "--json").stdout)[0]["size"] == 1000


@pytest.mark.parametrize(
    "arguments",
    [["pull"], ["pull", "--"], ["load", "/nonexistent"], ["load", "/"], ["load", "a", "b"], ["x"]],
)
def test_wrong_arguments_make_nothing(tree: Tree, arguments: list[str]) -> None:
    before = tree.snapshot()
    ran = tree.sockwake("images", *arguments)
    assert ran.status == 2 and ran.stderr.startswith("sockwake: error: ")
    assert tree.added_to(before) == []
