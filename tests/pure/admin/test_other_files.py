"""What is in /etc/sockwake/NAME and not of sockwake's making: left by all but --purge, and said."""

import json
import os
from pathlib import Path

import pytest

from sockwake.admin import inventory
from sockwake.admin.make import draft
from sockwake.admin.make.request import Request
from sockwake.config.instance import Name
from sockwake.errors import EXISTS, IN_USE, UNKNOWN
from tree import Tree, run

CONTAINER = ("--kind", "container", "--image", "nginx:local", "--container-port", "80", "--quiet")


def beside(tree: Tree, *names: str) -> None:
    """An instance with these files beside its own; "data/page" is of a compose file's ./data."""
    if not os.path.isdir(tree.instance("shop").etc):
        assert tree.sockwake("new", "shop", *CONTAINER).status == 0
    for name in names:
        path = Path(tree.instance("shop").etc, name)
        path.parent.mkdir(exist_ok=True)
        path.write_text("precious")


def found(tree: Tree) -> list[str]:
    top = Path(f"{tree}/etc/sockwake")
    return sorted(str(path.relative_to(top)) for path in top.rglob("*") if path.is_file())


def names(tree: Tree) -> list[object]:
    return [row["name"] for row in json.loads(tree.sockwake("ls", "--json").stdout)]


def test_rm_leaves_it_and_says_so_and_so_does_whatever_comes_next(tree: Tree) -> None:
    etc = tree.instance("shop").etc
    beside(tree, "data/page", "app.env", "compose.yaml~")
    ran = tree.sockwake("rm", "shop")
    left = "app.env, compose.yaml~, data"
    assert (ran.status, ran.stdout) == (
        0,
        f"Removed sockwake's own files in {etc}; left {left} in {etc}.\n",
    )
    kept = ["shop/app.env", "shop/compose.yaml~", "shop/data/page"]
    assert found(tree) == kept and names(tree) == []
    again = tree.sockwake("rm", "shop", "--purge")
    assert (again.status, again.stderr) == (
        UNKNOWN,
        "sockwake: error: there is no instance 'shop'\n"
        f"(hint: {etc} has only what is not sockwake's: {left})\n",
    )
    assert (
        tree.sockwake("new", "other", *CONTAINER).status == 0
        and tree.sockwake("rm", "other").status == 0
    )
    assert found(tree) == kept
    made = tree.sockwake("new", "shop", *CONTAINER[:-1])
    assert (
        made.status,
        f"  beside    {etc}/app.env, {etc}/compose.yaml~, {etc}/data\n" in made.stdout,
    ) == (0, True), made
    assert found(tree) == sorted([*kept, "shop/compose.yaml", "shop/instance.env"]) and names(
        tree
    ) == ["shop"]


def test_purge_deletes_it_and_says_so(tree: Tree) -> None:
    etc = tree.instance("shop").etc
    beside(tree, "data/page", "app.env")
    ran = tree.sockwake("rm", "shop", "--purge")
    assert (ran.status, ran.stdout) == (0, f"Removed {etc}; deleted app.env, data in {etc}.\n")
    assert not os.path.exists(f"{tree}/etc/sockwake")


def test_a_new_that_fails_leaves_it(tree: Tree) -> None:
    beside(tree, "data/page")
    assert tree.sockwake("rm", "shop").status == 0
    (tree.path / "etc/systemd").write_text("")  # so that nothing can be enabled
    before = tree.snapshot()
    assert tree.sockwake("new", "shop", *CONTAINER, "--enable").status == 1
    assert tree.added_to(before) == []


@pytest.mark.parametrize("path", [".new-shop/data/page", ".rm-shop/data/page"])
def test_nor_is_it_deleted_where_an_older_sockwake_had_put_it(tree: Tree, path: str) -> None:
    page = Path(f"{tree}/etc/sockwake/{path}")
    page.parent.mkdir(parents=True)
    page.write_text("precious")
    assert names(tree) == []
    made = tree.sockwake("new", "shop", *CONTAINER)
    if path.startswith(".new"):
        assert (
            made.status,
            f"{tree}/etc/sockwake/.new-shop is in the way, and has data in it" in made.stderr,
        ) == (EXISTS, True), made
        assert (tree.sockwake("rm", "shop").status, found(tree)) == (UNKNOWN, [path])
    else:
        assert (made.status, tree.sockwake("rm", "shop").status, found(tree)) == (0, 0, [path])


def test_the_list_of_what_sockwake_writes_is_whole(tree: Tree) -> None:
    """Every file of every kind, also while it is being written."""
    program = tree.path / "bin/sh"
    program.parent.mkdir()
    program.touch(0o755)
    for number, options in enumerate(
        [
            CONTAINER,
            ("--version", "18", "--tls"),
            ("--kind", "command", "--exec", "/bin/sh {port}"),
            ("--kind", "native", "--exec", "/bin/sh"),
        ]
    ):
        assert tree.sockwake("new", f"i{number}", *options).status == 0
        assert inventory.others(f"{tree}/etc/sockwake/i{number}") == []
    request = Request(
        Name("pg1"),
        "postgres",
        "",
        ["127.0.0.1"],
        1,
        values={"mount": "/x", "network": "none", "gucs": {}},
        tls=("c", "k"),
    )
    assert set(request.files(1, "secret")) <= set(inventory.WRITTEN)


def test_it_is_published_into_the_directory_the_engine_has_made_meanwhile(tree: Tree) -> None:
    with inventory.locked(str(tree)):
        begun = draft.Draft(
            Name("shop"), str(tree), {"instance.env": (0o644, ""), "compose.yaml": (0o644, "")}
        )
    page = Path(begun.final.etc, "data/page")
    page.parent.mkdir(parents=True)
    page.write_text("written by the container")
    assert names(tree) == ["shop"], "once, as a draft"
    begun.publish()
    begun.release()
    assert found(tree) == ["shop/compose.yaml", "shop/data/page", "shop/instance.env"]
    assert not os.path.exists(begun.instance.etc) and names(tree) == ["shop"]


@pytest.mark.parametrize("moved", [[], ["compose.yaml"], ["compose.yaml", "instance.env"]])
@pytest.mark.parametrize("then", ["rm", "new"])
def test_killed_meanwhile_it_can_be_removed_and_made_again(
    tree: Tree, moved: list[str], then: str
) -> None:
    beside(tree, "data/page")
    unfinished, final = Path(f"{tree}/etc/sockwake/.new-shop"), Path(tree.instance("shop").etc)
    unfinished.mkdir()
    for name in {"compose.yaml", "instance.env"} - set(moved):
        (final / name).rename(unfinished / name)
    assert names(tree) == ["shop"]
    if then == "rm" or "instance.env" in moved:
        assert tree.sockwake("rm", "shop").status == 0
        assert found(tree) == ["shop/data/page"] and names(tree) == [] and not unfinished.exists()
    assert tree.sockwake("new", "shop", *CONTAINER).status == 0
    assert (
        found(tree) == ["shop/compose.yaml", "shop/data/page", "shop/instance.env"]
        and not unfinished.exists()
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
@pytest.mark.parametrize("where", ["etc/sockwake/shop/data", "var/lib/sockwake/shop/inner"])
def test_purge_names_a_mount_before_anything_is_deleted(tree: Tree, where: str) -> None:
    assert tree.sockwake("new", "shop", *CONTAINER, "--mount", "/data").status == 0
    place = tree.path / where
    place.mkdir(parents=True)
    elsewhere = tree.path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "page").write_text("precious")
    if run("mount", "--bind", str(elsewhere), str(place)).status:
        pytest.skip("nothing can be mounted here")
    try:
        before = tree.snapshot()
        ran = tree.sockwake("rm", "shop", "--purge")
        assert (
            ran.status,
            f"{place} is a mount" in ran.stderr,
            f"(hint: umount {place})" in ran.stderr,
        ) == (IN_USE, True, True), ran
        assert tree.added_to(before) == []
    finally:
        run("umount", str(place))
    assert (
        tree.sockwake("rm", "shop", "--purge").status == 0
        and (elsewhere / "page").read_text() == "precious"
    )
