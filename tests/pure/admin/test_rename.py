"""sockwake rename: whole or not at all, and the data stay with the instance."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from kind_examples import NATIVE, make, with_program

from fault import KILLED, at_every_step, disk_full, kill, undisturbed
from sockwake.admin import cli
from sockwake.admin.change import new_name
from sockwake.config.settings import load
from sockwake.errors import EXISTS, FAILED, UNKNOWN, USAGE
from tree import Tree

DATA = "var/lib/sockwake"


def write_rows(tree: Tree, path: str) -> None:
    directory = tree.path / path.lstrip("/")
    directory.mkdir(parents=True)
    (directory / "rows").write_text("42")


def write_bundle(tree: Tree, name: str) -> Path:
    bundle = tree.path / DATA / "bundles" / name
    (bundle / "made-of").mkdir(parents=True)
    (bundle / "image").write_text("sha256:1\n")
    (bundle / "made-of/instance.env").write_text("")
    return bundle


def rename(tree: Tree, names: list[str]) -> Callable[[], int]:
    """names: read anew in each round."""
    return lambda: cli.main(["rename", *names, "--root", str(tree)])


def test_all_of_it_gets_the_new_name(tree: Tree) -> None:
    tree.new("pg1", "--port", "25501", "--enable")
    write_rows(tree, f"{DATA}/pg1")
    write_bundle(tree, "pg1")
    ran = tree.sockwake("rename", "pg1", "shop")
    assert (ran.status, ran.stdout, ran.stderr) == (0, "pg1 is shop now.\n", "")
    left = [path for path in tree.path.rglob("*") if path.name.startswith(("pg1", "pg-proxy@pg1"))]
    assert left == []
    settings = load(tree.instance("shop"))
    assert settings.port == 25501
    assert Path(settings.data, "rows").read_text() == "42"
    text = Path(tree.instance("shop").env_file).read_text()
    assert text.startswith("# The sockwake instance shop:") and "pg1" not in text
    bundle = tree.path / DATA / "bundles/shop"
    assert (bundle / "image").read_text() == "sha256:1\n"  # its image stays
    assert not (bundle / "made-of/instance.env").exists()  # and the next wake makes it anew
    assert not os.path.exists(tree.instance("shop").renaming_file)
    wanted = tree.path / "etc/systemd/system/sockets.target.wants/pg-proxy@shop.socket"
    assert wanted.is_symlink()


def test_what_the_image_keeps_goes_with_it_and_the_root_it_wrote_to_begins_anew(tree: Tree) -> None:
    tree.new("web", "--port", "25501")
    bundles = write_bundle(tree, "web").parent
    for place in ("web.volumes/data", "web.layers/1/upper"):
        (bundles / place).mkdir(parents=True)
    (bundles / "web.volumes/data/rows").write_text("42")
    assert tree.sockwake("rename", "web", "shop").status == 0
    assert sorted(os.listdir(bundles)) == ["shop", "shop.volumes"]
    assert (bundles / "shop.volumes/data/rows").read_text() == "42"
    tree.new("web", "--port", "25502")
    assert tree.sockwake("rename", "web", "shop").status == EXISTS


def test_one_that_is_not_enabled_stays_so(tree: Tree) -> None:
    tree.new("pg1")
    assert tree.sockwake("rename", "pg1", "shop").status == 0
    assert list(tree.path.rglob("pg-proxy@*.socket")) == [
        path for path in tree.path.rglob("pg-proxy@*.socket") if path.name == "pg-proxy@.socket"
    ]


def test_data_of_another_place_stay_there(tree: Tree) -> None:
    tree.new("pg1", "--data", "/srv/pg1")
    write_rows(tree, "srv/pg1")
    assert tree.sockwake("rename", "pg1", "shop").status == 0
    assert load(tree.instance("shop")).data == f"{tree}/srv/pg1"


def test_a_link_in_the_place_of_the_data_stays_there(tree: Tree) -> None:
    tree.new("pg1")
    write_rows(tree, "srv/big")
    (tree.path / DATA).mkdir(parents=True)
    (tree.path / DATA / "pg1").symlink_to(tree.path / "srv/big")
    assert tree.sockwake("rename", "pg1", "shop").status == 0
    assert load(tree.instance("shop")).data == f"{tree}/{DATA}/pg1"


def test_a_program_finds_its_data_and_its_socket(tmp_path: Path) -> None:
    tree = with_program(tmp_path / "tree")
    make(tree, "cache", ["--kind", "command", "--exec", "/bin/true {socket} {data}/x"])
    make(tree, "cache-2", NATIVE)
    write_rows(tree, f"{DATA}/cache")
    assert tree.sockwake("rename", "cache", "store").status == 0
    unit = Path(tree.instance("store").service_file).read_text()
    assert "ExecStart=/bin/true /run/sockwake-store/socket /var/lib/sockwake/store/x\n" in unit
    assert load(tree.instance("store")).data == f"{tree}/{DATA}/store"
    assert "cache-2" in Path(tree.instance("cache-2").service_file).read_text()


@pytest.mark.parametrize("is_linked", [False, True])
def test_the_data_of_a_user_made_for_a_program_go_with_it(tmp_path: Path, is_linked: bool) -> None:
    tree = with_program(tmp_path / "tree")
    make(tree, "cache", NATIVE)
    write_rows(tree, "var/lib/private/sockwake/cache")
    if is_linked:  # by systemd, with its first start
        (tree.path / DATA).mkdir(parents=True)
        (tree.path / DATA / "cache").symlink_to("../private/sockwake/cache")
    assert tree.sockwake("rename", "cache", "store").status == 0
    assert (tree.path / "var/lib/private/sockwake/store/rows").read_text() == "42"
    assert not os.path.lexists(tree.path / DATA / "cache")


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("# instance a: see a\nX=a\n", "# instance b: see b\nX=a\n"),
        ("# a-b, xa and a2\n", "# a-b, xa and a2\n"),
    ],
)
def test_only_comments_and_only_whole_names_change(tree: Tree, text: str, after: str) -> None:
    old, new = tree.instance("a"), tree.instance("b")
    assert new_name.text_for("instance.env", text, old, new) == after


@pytest.mark.parametrize(
    ("names", "status", "said"),
    [
        (["pg1", "pg1"], USAGE, "these are the same name"),
        (["pg1", "Shop"], USAGE, "instance name 'Shop' is not valid"),
        (["pg1"], USAGE, "NEW"),
        (["nobody", "shop"], UNKNOWN, "there is no instance 'nobody'"),
        (["pg1", "pg2"], EXISTS, "instance 'pg2' exists already"),
        (["pg1", "data"], EXISTS, f"{DATA}/data is there already"),
        (["pg1", "made"], EXISTS, "bundles/made is there already"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_changes_nothing(
    tree: Tree, names: list[str], status: int, said: str
) -> None:
    tree.new("pg1")
    tree.new("pg2")
    write_rows(tree, f"{DATA}/pg1")
    write_rows(tree, f"{DATA}/data")
    write_bundle(tree, "made")
    before = tree.snapshot()
    ran = tree.sockwake("rename", *names)
    assert (ran.status, ran.stdout) == (status, ""), ran
    assert ran.stderr.startswith("sockwake: error: ") and said in ran.stderr, ran
    assert tree.added_to(before) == []


def test_a_project_has_names_of_compose_s(tmp_path: Path) -> None:
    tree = with_program(tmp_path / "tree")
    tree.write_env("shop", "KIND=project\nPROJECT=/srv/shop\nPORTS=127.0.0.1:1=w:1\nIDLE=1min\n")
    ran = tree.sockwake("rename", "shop", "store")
    assert ran.status == FAILED and "a compose project is not renamed" in ran.stderr


def test_killed_at_any_step_it_is_one_of_the_two_and_can_be_run_again(tree: Tree) -> None:
    tree.new("pg1", "--port", "25501", "--enable")
    write_rows(tree, f"{DATA}/pg1")
    reached, names = 0, ["pg1", "shop"]
    for ended in at_every_step(rename(tree, names), kill):
        reached = max(reached, ended.step)
        there = [name for name in names if os.path.isdir(tree.instance(name).etc)]
        assert len(there) == 1 and ended.status == (KILLED if ended.reached else 0), ended
        if ended.reached:
            again = undisturbed(rename(tree, names))
            is_done = (again.status, again.stderr.count("there is no instance")) == (5, 1)
            assert again.status == 0 or (is_done and there == [names[1]]), (ended, again)
        settings = load(tree.instance(names[1]))
        assert Path(settings.data, "rows").read_text() == "42", ended
        assert not os.path.exists(tree.instance(names[1]).renaming_file), ended
        wants = tree.path / "etc/systemd/system/sockets.target.wants"
        assert (wants / f"pg-proxy@{names[1]}.socket").is_symlink(), ended
        names.reverse()
    assert reached > 10


def test_without_room_it_is_as_before_or_can_be_run_again(tree: Tree) -> None:
    tree.new("pg1")
    write_rows(tree, f"{DATA}/pg1")
    names = ["pg1", "shop"]
    for ended in at_every_step(rename(tree, names), disk_full):
        if ended.status and os.path.isdir(tree.instance(names[0]).etc):
            assert not os.path.exists(tree.instance(names[0]).renaming_file), ended
            assert load(tree.instance(names[0])).port
            continue
        if ended.status:
            assert undisturbed(rename(tree, names)).status in (0, UNKNOWN), ended
        settings = load(tree.instance(names[1]))
        assert Path(settings.data, "rows").read_text() == "42", ended
        names.reverse()


@pytest.mark.parametrize("above", [DATA, f"{DATA}/bundles"])
def test_on_a_disk_that_can_only_be_read_nothing_is_begun(
    tree: Tree, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], above: str
) -> None:
    """As behind an I/O error: /etc may be written to, and half of a rename leaves its port shut."""
    tree.new("pg1", "--port", "25501", "--enable")
    write_rows(tree, f"{DATA}/pg1")
    write_bundle(tree, "pg1")
    before, may = tree.snapshot(), os.access
    locked = str(tree.path / above)
    monkeypatch.setattr(os, "access", lambda path, mode: path != locked and may(path, mode))
    assert rename(tree, ["pg1", "shop"])() == FAILED
    assert f"cannot write {locked}: it is read-only" in capsys.readouterr().err
    assert tree.added_to(before) == []
