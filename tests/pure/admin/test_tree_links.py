"""--root: no link in the tree has a command write or read a file of this system."""

from pathlib import Path

import pytest

from tree import Tree

PLACES = (
    "etc",
    "etc/sockwake",
    "etc/systemd",
    "etc/systemd/system/sockets.target.wants",
    "etc/systemd/system-preset",
    "etc/systemd/system-preset/50-sockwake.preset",
    "run",
    "usr/share/sockwake/images",
    "var",
    "var/lib/private",
    "var/lib/private/sockwake",
    "var/lib/sockwake",
    "var/lib/sockwake/images",
)
COMMANDS = (
    ("new", "pg1", "--version", "18", "--enable"),
    ("rm", "pg1"),
    ("ls",),
    ("images", "ls"),
    ("images", "prune"),
    ("set", "pg1", "IDLE=9min"),
)


CHANGES = (
    ("rename", "pg1", "b"),
    ("copy", "pg1", "b"),
    ("set", "pg1", "IDLE=9min"),
    ("apply", "pg1"),
    ("backup", "pg1"),
)


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A directory that is this system's."""
    (tmp_path / "outside").mkdir()
    return tmp_path / "outside"


@pytest.mark.parametrize("place", PLACES)
def test_a_link_out_of_the_tree_is_refused_by_every_command(
    tree: Tree, outside: Path, place: str
) -> None:
    link = tree.path / place
    if link.exists():
        link.rename(tree.path / "moved")
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(outside)
    before = tree.snapshot()
    for command in COMMANDS:
        verb, *arguments = command
        ran = tree.sockwake(verb, *arguments)
        assert ran.status == 1 and "leads out of the tree, to " in ran.stderr, ran
    assert tree.added_to(before) == [] and list(outside.iterdir()) == []


@pytest.mark.parametrize("file", ["", "instance.env"])
def test_nor_is_the_directory_of_an_instance_outside_changed(
    tree: Tree, outside: Path, file: str
) -> None:
    tree.new("pg1")
    link = Path(tree.instance("pg1").etc, file)
    link.rename(outside / "moved")
    link.symlink_to(outside / "moved")
    env = outside / "moved" / ("" if file else "instance.env")
    before, text = tree.snapshot(), env.read_text()
    for verb, *arguments in CHANGES:
        ran = tree.sockwake(verb, *arguments)
        assert ran.status == 1 and "leads out of the tree, to " in ran.stderr, ran
        assert tree.added_to(before) == [] and env.read_text() == text


def test_a_link_to_a_place_that_is_not_there_is_one_too(tree: Tree, outside: Path) -> None:
    (tree.path / "etc/sockwake").symlink_to(outside / "new")
    ran = tree.sockwake("new", "pg1", "--version", "18")
    assert ran.status == 1 and f"to {outside}/new" in ran.stderr
    assert list(outside.iterdir()) == []


def test_a_link_within_the_tree_is_followed(tree: Tree) -> None:
    (tree.path / "etc/sockwake").symlink_to("../srv/instances")
    (tree.path / "srv/instances").mkdir(parents=True)
    tree.new("pg1", "--enable")
    assert (tree.path / "srv/instances/pg1/instance.env").exists()


def test_a_data_directory_is_not_looked_for_outside(tree: Tree, outside: Path) -> None:
    (tree.path / "srv").symlink_to(outside)
    ran = tree.sockwake("new", "pg1", "--version", "18", "--data", "/srv/pg")
    assert ran.status == 1 and "leads out of the tree" in ran.stderr
