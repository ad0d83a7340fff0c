"""Data directories: no system directory, no overlap with another instance's; in new and in rm."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from env_file import env
from sockwake.admin import option_types
from sockwake.admin.make import claims
from sockwake.config.instance import Instance, Name
from sockwake.errors import EXISTS, FAILED, USAGE, SockwakeError
from tree import Tree

CONTAINER = (
    "--kind",
    "container",
    "--image",
    "nginx:local",
    "--container-port",
    "80",
    "--mount",
    "/data",
)
SYSTEM_S = [
    "/",
    "/etc",
    "/etc/sockwake",
    "/etc/sockwake/a/data",
    "/usr",
    "/usr/lib/x",
    "/bin",
    "/var",
    "/var/lib",
    "/var/lib/sockwake",
    "/home",
    "/root",
    "/srv",
    "/opt",
    "/tmp",
    "/run",
    "/run/sockwake/a",
    "/proc/1",
    "/sys/x",
    "/dev/shm/x",
    "/boot",
    "/var/lib/docker/volumes/x",
    "/var/lib/containers",
    "/var/lib/private",
    "//var//lib/./sockwake/",
    "/srv/../var/lib/sockwake",
    "//",
]


def with_data(tree: Tree, name: str, path: str) -> Path:
    """An instance, and a page in its data directory."""
    tree.write_env(name, env(DATA=path))
    page = Path(f"{tree}{path}/page")
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text("precious")
    return page


@pytest.mark.parametrize("path", SYSTEM_S)
def test_a_place_of_the_systems_is_no_option(path: str) -> None:
    with pytest.raises(SockwakeError, match="is a place of the system's") as caught:
        claims.require_no_system_place(option_types.data_path(path))
    assert caught.value.status == USAGE


@pytest.mark.parametrize(
    "path",
    [
        "/srv/a",
        "/var/lib/sockwake/a",
        "/var/lib/postgresql/x",
        "/mnt/disk",
        "/opt/x/data",
        "/var/libx",
        "/home/x/y",
        "/run/media/disk",
        "/usr/local/x",
    ],
)
def test_one_of_its_own_is(path: str) -> None:
    assert option_types.data_path(path) == path
    claims.require_no_system_place(path)


@pytest.mark.parametrize(
    "path",
    [
        "/home/me",
        "/home/me/.local/share",
        "/home/me/.local/share/sockwake",
        "/home/me/.local/share/containers/x",
        "/home/me/.config/sockwake/a",
        "/home/me/.ssh",
    ],
)
def test_nor_is_a_place_of_a_users_for_the_users_own(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("SOCKWAKE_SCOPE", "user")
    assert claims.is_system_s(path)
    assert not claims.is_system_s("/home/me/.local/share/sockwake/a") and not claims.is_system_s(
        "/home/me/data"
    )


@pytest.mark.parametrize("kind", [(), CONTAINER], ids=["postgres", "container"])
@pytest.mark.parametrize(
    ("path", "how"),
    [
        ("/srv/x/a", "belongs to instance 'a'"),
        ("/srv/x", "has {tree}/srv/x/a in it, which belongs to instance 'a'"),
        ("/srv/x/a/18/docker", "is inside {tree}/srv/x/a, which belongs to instance 'a'"),
        ("/srv/way", "has {tree}/srv/x/a in it"),
        ("/srv/way/a/18", "is inside {tree}/srv/x/a"),
    ],
)
def test_what_overlaps_with_anothers_is_refused(
    tree: Tree, kind: tuple[str, ...], path: str, how: str
) -> None:
    with_data(tree, "a", "/srv/x/a")
    (tree.path / "srv/way").symlink_to("x")
    (tree.path / "srv/x/a/18").mkdir()
    before = tree.snapshot()
    ran = tree.sockwake("new", "w", *(kind or ("--version", "18")), "--data", path)
    assert (ran.status, how.format(tree=tree) in ran.stderr, ran.stderr.count("error:")) == (
        EXISTS,
        True,
        1,
    ), ran
    assert tree.added_to(before) == []


def test_a_neighbour_whose_name_begins_alike_is_none(tree: Tree) -> None:
    with_data(tree, "a", "/srv/x/a")
    assert tree.sockwake("new", "w", *CONTAINER, "--data", "/srv/x/ab").status == 0


@pytest.mark.parametrize(
    "claim", [env(DATA="/srv/x/a") + "NO=SUCH KEY", "KIND=\nDATA='/srv/x/a'\nnonsense"]
)
def test_of_broken_files_what_they_may_mean_counts(tree: Tree, claim: str) -> None:
    tree.write_env("a", claim)
    for path in ("/srv/x", "/var/lib/sockwake/a/18"):
        ran = tree.sockwake("new", "w", *CONTAINER, "--data", path)
        assert (ran.status, "instance 'a'" in ran.stderr) == (EXISTS, True), ran


def test_what_is_being_made_counts(tree: Tree) -> None:
    with_data(tree, "a", "/srv/x/a")
    (tree.path / "etc/sockwake/a").rename(tree.path / "etc/sockwake/.new-a")
    assert tree.sockwake("new", "w", *CONTAINER, "--data", "/srv/x").status == EXISTS


def at(tree: Tree, path: str) -> str:
    return path


def through_a_link(tree: Tree, path: str) -> str:
    (tree.path / "way").symlink_to(f"{tree}{path}")
    return "/way"


@pytest.mark.parametrize("way", [at, through_a_link])
@pytest.mark.parametrize(
    ("edited", "why"),
    [
        ("/srv/x", "has {tree}/srv/x/a in it"),
        ("/srv/x/a/inner", "is inside {tree}/srv/x/a"),
        ("/srv/x/a", "belongs to instance 'a'"),
        ("/srv", "is a place of the system's"),
        ("/var/lib", "is a place of the system's"),
        ("/etc/sockwake/a", "is a place of the system's"),
    ],
)
def test_purge_looks_again_and_changes_nothing(
    tree: Tree, way: Callable[[Tree, str], str], edited: str, why: str
) -> None:
    page = with_data(tree, "a", "/srv/x/a")
    (page.parent / "inner").mkdir()
    Path(f"{tree}/var/lib").mkdir(parents=True)
    tree.write_env("w", env(DATA=way(tree, edited)))
    before = tree.snapshot()
    ran = tree.sockwake("rm", "w", "--purge")
    assert (ran.status, why.format(tree=tree) in ran.stderr) == (EXISTS, True), ran
    assert "(hint: set DATA= in its instance.env right, or leave out --purge)" in ran.stderr
    assert tree.added_to(before) == []
    assert tree.sockwake("rm", "w").status == 0 and page.read_text() == "precious"


def test_a_link_out_of_a_tree_is_no_way_to_the_machines_own_places(tree: Tree) -> None:
    (tree.path / "srv").mkdir()
    (tree.path / "srv/pg").symlink_to("/usr/share")
    with pytest.raises(SockwakeError, match="leads out of the tree, to /usr/share"):
        claims.require_own(f"{tree}/srv/pg", str(tree), but=Instance(Name("pg1"), str(tree)))
    assert os.path.isdir("/usr/share") and tree.sockwake(
        "new", "pg1", "--version", "18", "--data", "/srv/pg"
    ).status in (EXISTS, FAILED)
