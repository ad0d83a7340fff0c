"""sockwake rm: the instance goes, its data only with --purge, and it says which."""

import json
from pathlib import Path

import pytest

from sockwake.admin.make.draft import Draft
from sockwake.config.instance import Name
from sockwake.errors import FAILED, UNKNOWN
from tree import Tree, run


def write_data(tree: Tree, path: str) -> Path:
    file = Path(f"{tree}{path}/base/1")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("rows")
    return file


def write_draft(tree: Tree, *, claims: bool = False) -> Path:
    """What a sockwake-new leaves that was killed while it provisioned."""
    tree.new("pg1", "--data", "/srv/pg")
    draft = tree.instance("pg1").etc
    unfinished = Path(f"{tree}/etc/sockwake/.new-pg1")
    if claims:
        maker = Draft(Name("pg2"), str(tree), {})
        maker.claim_data(f"{tree}/srv/pg", make=True)
        Path(maker.instance.etc, "made-data").rename(f"{draft}/made-data")
        Path(maker.instance.etc).rmdir()
    Path(draft).rename(unfinished)
    return unfinished


@pytest.mark.parametrize(
    ("options", "path"), [([], "/var/lib/sockwake/pg1"), (["--data", "/srv/pg"], "/srv/pg")]
)
def test_without_purge_the_data_stay(tree: Tree, options: list[str], path: str) -> None:
    before = tree.snapshot()
    tree.new("pg1", *options)
    data = write_data(tree, path)
    ran = tree.sockwake("rm", "pg1")
    assert (ran.status, ran.stdout, ran.stderr) == (
        0,
        f"Removed {tree}/etc/sockwake/pg1; left the data in {tree}{path}.\n",
        "",
    )
    assert data.read_text() == "rows"
    assert [path for path in tree.added_to(before) if path.startswith("etc")] == []


@pytest.mark.parametrize(
    ("options", "path"), [([], "/var/lib/sockwake/pg1"), (["--data", "/srv/pg"], "/srv/pg")]
)
def test_purge_deletes_the_data_of_the_tree_and_says_so(
    tree: Tree, options: list[str], path: str
) -> None:
    tree.new("pg1", *options)
    write_data(tree, path)
    ran = tree.sockwake("rm", "pg1", "--purge")
    assert (ran.status, ran.stdout) == (
        0,
        f"Removed {tree}/etc/sockwake/pg1; deleted the data in {tree}{path}.\n",
    )
    assert not Path(f"{tree}{path}").exists()


def test_purge_deletes_no_directory_but_the_one_the_instance_was_made_with(tree: Tree) -> None:
    (tree.path / "srv/pg").mkdir(parents=True)
    tree.new("pg1", "--data", "/srv/pg")
    data, other = write_data(tree, "/srv/pg"), write_data(tree, "/srv/other")
    env = Path(tree.instance("pg1").env_file)
    env.write_text(env.read_text().replace("DATA=/srv/pg", "DATA=/srv/other"))
    before = tree.snapshot_of_names()
    ran = tree.sockwake("rm", "pg1", "--purge")
    assert (ran.status, ran.stderr.splitlines()) == (
        FAILED,
        [
            f"sockwake: error: data directory {tree}/srv/other is not known to be the one that "
            "instance 'pg1' was made with",
            "(hint: leave out --purge, and delete the directory yourself if it may go)",
        ],
    )
    assert tree.snapshot_of_names() == before
    env.write_text(env.read_text().replace("DATA=/srv/other", "DATA=/srv/pg"))
    assert tree.sockwake("rm", "pg1", "--purge").status == 0
    assert other.exists() and not data.exists()


def test_purge_deletes_no_directory_that_has_taken_the_place_of_the_data(tree: Tree) -> None:
    (tree.path / "srv/pg").mkdir(parents=True)
    tree.new("pg1", "--data", "/srv/pg")
    (tree.path / "srv/pg").rename(tree.path / "srv/moved")
    other = write_data(tree, "/srv/pg")
    assert tree.sockwake("rm", "pg1", "--purge").status == FAILED
    assert other.exists()
    assert tree.sockwake("rm", "pg1").status == 0


def test_purge_in_a_tree_never_touches_the_same_path_outside_of_it(
    tree: Tree, tmp_path: Path
) -> None:
    outside = tmp_path / "pg"
    outside.mkdir()
    (outside / "PG_VERSION").write_text("18")
    tree.new("pg1", "--data", str(outside))
    ran = tree.sockwake("rm", "pg1", "--purge")
    assert (ran.status, ran.stdout) == (0, f"Removed {tree}/etc/sockwake/pg1.\n")
    assert (outside / "PG_VERSION").exists()


def test_nothing_is_said_about_data_that_are_not_there(tree: Tree) -> None:
    tree.new("pg1")
    assert tree.sockwake("rm", "pg1").stdout == f"Removed {tree}/etc/sockwake/pg1.\n"


def test_a_link_to_the_data_is_no_reason_to_delete_the_directory_it_leads_to(tree: Tree) -> None:
    (tree.path / "srv").mkdir()
    elsewhere = tree.path / "disk"
    elsewhere.mkdir()
    (tree.path / "srv/pg").symlink_to("../disk")
    tree.new("pg1", "--data", "/srv/pg")
    (elsewhere / "base").mkdir()
    assert tree.sockwake("rm", "pg1", "--purge").status == 0
    assert elsewhere.is_dir() and list(elsewhere.iterdir()) == []


def test_an_enabled_instance_is_disabled(tree: Tree) -> None:
    tree.new("pg1", "--enable")
    tree.new("pg2", "--enable")
    assert tree.sockwake("rm", "pg1").status == 0
    assert [path.name for path in tree.path.glob("etc/systemd/system/*/*")].count(
        "pg-proxy@pg1.socket"
    ) == 0
    assert (tree.path / "etc/systemd/system/sockets.target.wants/pg-proxy@pg2.socket").is_symlink()


@pytest.mark.parametrize("options", [[], ["--data", "/srv/pg"]])
def test_of_a_broken_instance_data_and_password_stay_together(
    tree: Tree, options: list[str]
) -> None:
    """Its file says where they are: with an error in it nothing goes, and without it all stays."""
    tree.new("pg1", *options)
    instance = tree.instance("pg1")
    Path(instance.uninitialised_file).unlink()
    Path(instance.password_file).write_text("secret\n")
    place = options[-1] if options else "/var/lib/sockwake/pg1"
    data, env = write_data(tree, place), Path(instance.env_file)
    env.write_text(f"{env.read_text()}FOO=1\n")
    before = tree.snapshot()
    ran = tree.sockwake("rm", "pg1")
    assert (ran.status, ran.stdout, tree.added_to(before)) == (FAILED, "", [])
    assert f"{env}:" in ran.stderr and "FOO" in ran.stderr
    assert (
        f"sockwake edit --root {tree} pg1 mends it; without {env} it is removed, and" in ran.stderr
    )
    env.unlink()
    if not options:
        data.parents[1].rename(tree.path / "moved")
        ran = tree.sockwake("rm", "pg1")
        assert ran.status == FAILED and "which tells where the data are" in ran.stderr
        (tree.path / "moved").rename(data.parents[1])
    ran = tree.sockwake("rm", "pg1")
    assert (ran.status, "left the data" in ran.stdout, data.read_text()) == (0, True, "rows")
    assert not Path(instance.etc).exists()


def test_purge_refuses_to_guess_where_a_broken_instance_has_its_data(tree: Tree) -> None:
    instance = tree.write_env("pg1", "nonsense")
    data = write_data(tree, "/var/lib/sockwake/pg1")
    ran = tree.sockwake("rm", "pg1", "--purge")
    assert (ran.status, ran.stderr) == (
        FAILED,
        f"sockwake: error: {instance.env_file}:1 is not KEY=value: nonsense\n"
        f"(hint: sockwake edit --root {tree} pg1 mends it)\n",
    )
    assert Path(instance.env_file).exists() and data.exists()


@pytest.mark.parametrize("purge", [[], ["--purge"]])
@pytest.mark.parametrize("made", ["directory", "contents"])
def test_of_an_unfinished_instance_all_that_was_made_goes(
    tree: Tree, made: str, purge: list[str]
) -> None:
    (tree.path / "srv").mkdir()
    if made == "contents":
        (tree.path / "srv/pg").mkdir()
    before = tree.snapshot()
    write_draft(tree, claims=True)
    (tree.path / "srv/pg/.initialising").mkdir()
    assert json.loads(tree.sockwake("ls", "--json").stdout)[0]["state"] == "unfinished"
    ran = tree.sockwake("rm", "pg1", *purge)
    assert ran.status == 0, ran
    assert tree.added_to(before) == ([] if made == "directory" or not purge else ["srv/pg"])
    assert ("left the data" in ran.stdout) == (made == "contents" and not purge)


@pytest.mark.parametrize("was_there", [False, True])
def test_of_an_unfinished_instance_what_was_put_there_since_stays(
    tree: Tree, was_there: bool
) -> None:
    (tree.path / "srv/pg").mkdir(parents=True) if was_there else None
    write_draft(tree, claims=True)
    cluster = write_data(tree, "/srv/pg")
    ran = tree.sockwake("rm", "pg1", "--purge")
    assert (
        ran.status,
        f"left what another program has put into {tree}/srv/pg since" in ran.stdout,
    ) == (0, True)
    assert cluster.read_text() == "rows"


@pytest.mark.parametrize("is_another", [False, True])
def test_of_an_unfinished_instance_a_cluster_goes_that_is_not_in_another_directory(
    tree: Tree, is_another: bool
) -> None:
    draft = write_draft(tree, claims=True)
    (draft / "uninitialised").unlink()
    if is_another:
        (tree.path / "srv/pg").rename(tree.path / "srv/old")
    cluster = write_data(tree, "/srv/pg")
    assert tree.sockwake("rm", "pg1").status == 0
    assert cluster.exists() == is_another


def test_what_belongs_to_the_file_system_is_no_data(tree: Tree) -> None:
    (tree.path / "srv/pg/lost+found").mkdir(parents=True)
    draft = write_draft(tree, claims=True)
    (draft / "uninitialised").unlink()
    cluster = write_data(tree, "/srv/pg")
    assert tree.sockwake("rm", "pg1").status == 0
    assert not cluster.exists() and (tree.path / "srv/pg/lost+found").exists()


def test_of_an_unfinished_instance_data_it_did_not_make_stay(tree: Tree) -> None:
    write_draft(tree)
    data = write_data(tree, "/srv/pg")
    ran = tree.sockwake("rm", "pg1")
    assert (ran.status, "left the data" in ran.stdout, data.exists()) == (0, True, True)


def test_an_instance_that_is_a_link_goes_and_what_it_leads_to_stays(
    tree: Tree, tmp_path: Path
) -> None:
    tree.new("pg1")
    moved = tmp_path / "conf"
    (tree.path / "etc/sockwake/pg1").rename(moved)
    (tree.path / "etc/sockwake/pg1").symlink_to(moved)
    assert tree.sockwake("rm", "pg1").status == 0
    assert (moved / "instance.env").exists() and not (tree.path / "etc/sockwake").exists()


def test_what_runs_on_this_machine_is_not_touched_for_a_tree(tree: Tree) -> None:
    """Not even an instance of the same name: its runtime directory is the tree's."""
    tree.new("pg1")
    assert tree.instance("pg1").run == f"{tree}/run/sockwake/pg1"
    Path(tree.instance("pg1").run).mkdir(parents=True)
    assert tree.sockwake("rm", "pg1").status == 0
    assert not Path(tree.instance("pg1").run).exists()


def test_the_leavings_of_a_killed_rm_go_with_the_next_command(tree: Tree) -> None:
    before = tree.snapshot()
    (tree.path / "etc/sockwake/.rm-pg1").mkdir(parents=True)
    (tree.path / "etc/sockwake/.rm-pg1/password").write_text("secret")
    assert tree.sockwake("rm", "pg1").status == UNKNOWN
    assert tree.added_to(before) == []


def test_directories_that_are_no_instances_are_ignored(tree: Tree) -> None:
    for name in (".new-Not_A_Name", ".git", "Not_A_Name"):
        (tree.path / "etc/sockwake" / name).mkdir(parents=True)
    tree.new("pg1")
    assert [row["name"] for row in json.loads(tree.sockwake("ls", "--json").stdout)] == ["pg1"]
    assert tree.sockwake("rm", "pg1").status == 0
    assert len(list((tree.path / "etc/sockwake").iterdir())) == 3


def test_two_at_once_remove_it_once(tree: Tree) -> None:
    tree.new("pg1")
    ran = run(
        "sh",
        "-c",
        'bin=$1; root=$2; $bin rm pg1 --root "$root" & $bin rm pg1 --root "$root"; one=$?; '
        "wait $!; echo $one $?",
        "sh",
        str(Path(__file__).parents[3] / "bin/sockwake"),
        str(tree),
    )
    assert sorted(ran.stdout.splitlines()[-1].split()) == ["0", str(UNKNOWN)], ran
