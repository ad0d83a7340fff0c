"""The directories that a container of crun's writes to, beside its bundle."""

from __future__ import annotations

import fcntl
import os
import stat
from pathlib import Path

import pytest

from sockwake.config.instance import Instance
from sockwake.oci import layers
from tree import Tree


@pytest.fixture
def instance(tree: Tree) -> Instance:
    return tree.instance("web")


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """The file system of an image, with data of its own."""
    root = tmp_path / "rootfs"
    (root / "data/inner").mkdir(parents=True)
    (root / "data/inner/file").write_text("the image's")
    (root / "data").chmod(0o750)
    (root / "link").symlink_to("/data")
    return root


def kept(volumes: list[tuple[str, str]]) -> list[Path]:
    return [Path(place) for place, _ in volumes]


def test_a_new_layer_is_empty_and_has_the_mode_of_the_image_s_root(
    instance: Instance, image: Path
) -> None:
    image.chmod(0o711)
    path = Path(layers.new(instance, str(image)))
    assert layers.is_whole(str(path)) and os.listdir(path / "upper") == []
    assert stat.S_IMODE((path / "upper").stat().st_mode) == 0o711
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700, "programs with setuid bits are in it"
    (path / "work").rmdir()
    assert not layers.is_whole(str(path))


def test_only_layers_that_nothing_uses_are_deleted(instance: Instance, image: Path) -> None:
    used, running, unused = (layers.new(instance, str(image)) for _ in range(3))
    Path(f"{unused}-file").touch()
    lock = os.open(running, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    layers.forget_unused(instance, used)
    assert [os.path.exists(path) for path in (used, running, unused)] == [True, True, False]
    assert not os.path.exists(f"{unused}-file")
    os.close(lock)
    layers.forget_unused(instance, used)
    assert not os.path.exists(running)
    layers.remove(instance)
    assert not os.path.exists(used)


def test_a_volume_begins_with_what_the_image_has_and_is_kept(
    instance: Instance, image: Path
) -> None:
    paths = ["/data", "/no/such", "/link/inner"]
    data, none, inner = kept(layers.volumes(instance, str(image), paths))
    assert (data / "inner/file").read_text() == "the image's"
    assert stat.S_IMODE(data.stat().st_mode) == 0o750
    assert os.listdir(none) == [] and os.listdir(inner) == ["file"]
    assert stat.S_IMODE(data.parent.stat().st_mode) == 0o700
    (data / "inner/file").write_text("the container's")
    assert kept(layers.volumes(instance, str(image), ["/data/"])) == [data]
    assert (data / "inner/file").read_text() == "the container's"
    assert layers.has_volumes(instance) == sorted(map(str, (data, none, inner)))
    layers.remove(instance)
    assert layers.has_volumes(instance) == []


def test_a_volume_that_was_not_finished_is_made_again(instance: Instance, image: Path) -> None:
    (data,) = kept(layers.volumes(instance, str(image), ["/data"]))
    data.rename(data.parent / ".new")
    (data.parent / ".new/inner/file").unlink()
    assert layers.has_volumes(instance) == []
    layers.volumes(instance, str(image), ["/data"])
    assert (data / "inner/file").exists()


def test_paths_that_look_alike_are_two_volumes(instance: Instance, image: Path) -> None:
    one, other = kept(layers.volumes(instance, str(image), ["/a/b", "/a%2Fb"]))
    assert one != other
