"""Deletion of a directory, and of nothing that is mounted in it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sockwake.errors import IN_USE, SockwakeError
from sockwake.system import deletion
from tree import run


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with a file, a link out of it, and directories in directories."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/kept").write_text("precious")
    place = tmp_path / "place"
    (place / "a/b/c").mkdir(parents=True)
    (place / "a/b/file").write_text("")
    (place / "a/link").symlink_to(tmp_path / "outside")
    (place / "lost+found").mkdir()
    return place


@pytest.fixture(params=["another disk", "bind", "a file"])
def mounted(request: pytest.FixtureRequest, place: Path) -> Iterator[Path]:
    """A mount below the place: another file system, or a directory or file of the same one."""
    where, outside = place / "a/b" / "c d", place.parent / "outside"
    if request.param == "a file":
        where.write_text("")
        argv = ["mount", "--bind", str(outside / "kept"), str(where)]
    else:
        where.mkdir()
        argv = (
            ["mount", "--bind", str(outside), str(where)]
            if request.param == "bind"
            else ["mount", "-t", "tmpfs", "disk", str(where)]
        )
    if run(*argv).status:
        pytest.skip("nothing can be mounted here")
    if where.is_dir():
        (where / "kept").write_text("precious")
    try:
        yield where
    finally:
        run("umount", str(where))


def test_links_are_deleted_and_not_followed(place: Path) -> None:
    deletion.tree(str(place))
    assert not place.exists() and (place.parent / "outside/kept").read_text() == "precious"


def test_lost_and_found_stays(place: Path) -> None:
    deletion.contents(str(place))
    assert os.listdir(place) == ["lost+found"]


def test_a_link_as_the_path_itself_is_refused(place: Path) -> None:
    (place.parent / "way").symlink_to(place)
    for delete in deletion.tree, deletion.contents:
        with pytest.raises(OSError, match="Not a directory|Too many levels"):
            delete(str(place.parent / "way"))
    assert (place / "a/b/file").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_a_mount_below_is_named_before_anything_is_deleted(place: Path, mounted: Path) -> None:
    for delete in (deletion.tree, deletion.contents):
        with pytest.raises(SockwakeError, match=f"{mounted} is a mount") as caught:
            delete(str(place))
        assert (caught.value.status, caught.value.hint) == (IN_USE, f"umount {mounted}")
    assert (place / "a/b/file").exists() and (place / "a/link").is_symlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
@pytest.mark.parametrize("quietly", [True, False])
def test_a_mount_that_appears_meanwhile_is_not_entered(
    place: Path, mounted: Path, quietly: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        deletion, "require_no_mount", lambda path, below=False: None
    )  # as if it were mounted later
    if quietly:
        deletion.tree(str(place), quietly=True)
        assert os.listdir(place) == ["a"] and os.listdir(place / "a/b") == [mounted.name]
    else:
        with pytest.raises((SockwakeError, OSError), match="is a mount|busy"):
            deletion.tree(str(place))
    assert (mounted / "kept" if mounted.is_dir() else mounted).read_text() == "precious"
    assert (place.parent / "outside/kept").read_text() == "precious"


def test_a_missing_directory_is_no_error_when_quiet(place: Path) -> None:
    deletion.tree(str(place / "nothing"), quietly=True)
    with pytest.raises(FileNotFoundError):
        deletion.tree(str(place / "nothing"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_a_bind_mount_of_the_same_file_system_is_a_mount(place: Path) -> None:
    """Its device number does not tell, and deleting its contents would delete them elsewhere."""
    outside = place.parent / "outside"
    if run("mount", "--bind", str(outside), str(place / "a/b/c")).status:
        pytest.skip("nothing can be mounted here")
    try:
        assert deletion.is_mount(str(place / "a/b/c")) and not os.path.ismount(place / "a/b/c")
        with pytest.raises(SockwakeError, match="is a mount"):
            deletion.tree(str(place / "a/b/c"))
        deletion.tree(str(place / "a/b/c"), quietly=True)
        assert (outside / "kept").read_text() == "precious"
        deletion.contents(str(place / "a/b/c"))
        assert os.listdir(outside) == []
    finally:
        run("umount", str(place / "a/b/c"))
