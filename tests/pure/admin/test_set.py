"""sockwake set, edit and apply: checked as a whole, shown, and written whole or not at all."""

import os
from pathlib import Path

import pytest
from kind_examples import COMMAND, CONTAINER, make, with_program

from env_file import env
from fault import KILLED, at_every_step, disk_full, kill, undisturbed
from sockwake.admin import cli
from sockwake.admin.change import lines
from sockwake.config import effects, settings
from sockwake.errors import EXISTS, PENDING, UNKNOWN, USAGE
from tree import Tree, run


def text(tree: Tree, name: str = "pg1") -> str:
    return Path(tree.instance(name).env_file).read_text()


@pytest.fixture
def pg1(tree: Tree) -> Tree:
    tree.new("pg1", "--port", "25501")
    return tree


def test_every_key_has_a_time_at_which_it_takes_effect() -> None:
    assert effects.EFFECTS.keys() == settings.KEYS
    known = {effects.WAKE, effects.RELOAD, effects.NOW, effects.PORT, effects.NEVER}
    assert set(effects.EFFECTS.values()) == known
    assert set(effects.OF_ONE) <= settings.KEYS


@pytest.mark.parametrize(
    ("changes", "after"),
    [
        ({"B": "3"}, "# a B=1\nA=1\nB=3\n"),
        ({"B": ""}, "# a B=1\nA=1\n"),
        ({"C": "x"}, "# a B=1\nA=1\nB=2\nC=x\n"),
        ({"C": ""}, "# a B=1\nA=1\nB=2\n"),
        ({"A": "\\1"}, "# a B=1\nA=\\1\nB=2\n"),
    ],
)
def test_only_the_line_of_a_key_changes(changes: dict[str, str], after: str) -> None:
    assert lines.changed("# a B=1\nA=1\nB=2\n", changes) == after


def test_a_last_line_without_an_end_gets_one() -> None:
    assert lines.changed("A=1", {"B": "2"}) == "A=1\nB=2\n"


def test_the_change_is_shown_and_said(pg1: Tree) -> None:
    ran = pg1.sockwake("set", "pg1", "IDLE=10min", "MEMORY=1G")
    path = pg1.instance("pg1").env_file
    assert (ran.status, ran.stderr) == (0, "")
    assert ran.stdout.startswith(f"--- {path}\n+++ {path}\n@@ ")
    assert "\n-IDLE=3min\n+IDLE=10min\n" in ran.stdout and "\n+MEMORY=1G\n" in ran.stdout
    assert ran.stdout.endswith("Changed pg1; IDLE and MEMORY at the next wake.\n")
    assert "IDLE=10min\n" in text(pg1) and text(pg1).endswith("MEMORY=1G\n")
    again = pg1.sockwake("set", "pg1", "IDLE=10min", "MEMORY=1G")
    assert (again.status, again.stdout) == (0, "pg1 has this already.\n")
    assert "MEMORY" in pg1.sockwake("set", "pg1", "MEMORY=").stdout
    assert "MEMORY" not in text(pg1)


def test_a_rehearsal_changes_nothing(pg1: Tree) -> None:
    before = pg1.snapshot()
    ran = pg1.sockwake("set", "pg1", "PORT=25502", "--dry-run")
    assert (ran.status, ran.stderr) == (0, "")
    assert "+PORT=25502\n" in ran.stdout
    assert ran.stdout.endswith("Would change pg1; PORT as soon as its port is open.\n")
    assert pg1.added_to(before) == []


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ([], USAGE, "say what to set"),
        (["IDLE=1min"], USAGE, "say which instances"),
        (["pg1", "COLOUR=red"], USAGE, "there is no key 'COLOUR'"),
        (["pg1", "IDLE=1min", "IDLE=2min"], USAGE, "key 'IDLE' is there twice"),
        (["pg1", "IDLE=soon"], USAGE, "'soon' is not a time span"),
        (["pg1", "IDLE="], USAGE, "key 'IDLE' is missing"),
        (["pg1", "PORT=0"], USAGE, "port '0' is not a number"),
        (["pg1", "LISTEN=here"], USAGE, "'here' is neither an IP address"),
        (["pg1", "LISTEN=300.1.1.1"], USAGE, "'300.1.1.1' is not an IP address"),
        (["pg1", "ALLOW=10.0.0.1/8"], USAGE, "has host bits set"),
        (["pg1", "ALLOW=300.0.0.0/8"], USAGE, "neither an IP address nor a network"),
        (["pg1", "KIND=command"], USAGE, "KIND is more than a setting"),
        (["pg1", "RUNTIME=engine"], USAGE, "RUNTIME is more than a setting"),
        (["pg1", "SERVICE=a b\\"], USAGE, "the value of SERVICE has"),
        (["pg1", "PORT=25510"], EXISTS, "already claimed by instance 'other'"),
        (["pg1", "DATA=/etc"], EXISTS, "is a place of the system's"),
        (["pg1", "DATA=/var/lib/sockwake/other/x"], EXISTS, "belongs to instance 'other'"),
        (["pg1", "CHECK=/nowhere"], USAGE, "/nowhere is not a program"),
        (["pg1", "MAX_CLIENTS=1"], USAGE, "'1' is not a number of clients"),
        (["pg1", "other", "PORT=25999"], USAGE, "no two instances can have the same PORT"),
        (["pg*", "oth*", "DATA=/srv/x"], USAGE, "no two instances can have the same DATA"),
        (["nobody", "IDLE=1min"], UNKNOWN, "there is no instance 'nobody'"),
        (["x*", "IDLE=1min"], UNKNOWN, "no instance is called like 'x*'"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_changes_nothing(
    pg1: Tree, words: list[str], status: int, said: str
) -> None:
    pg1.new("other", "--port", "25510")
    before = pg1.snapshot()
    ran = pg1.sockwake("set", *words)
    assert (ran.status, ran.stdout) == (status, ""), ran
    assert ran.stderr.startswith("sockwake: error: ") and said in ran.stderr, ran
    assert pg1.added_to(before) == []


def test_several_are_set_by_a_wildcard_or_none_is(pg1: Tree) -> None:
    pg1.new("pg2")
    assert pg1.sockwake("set", "pg*", "IDLE=1h").status == 0
    assert "IDLE=1h\n" in text(pg1) and "IDLE=1h\n" in text(pg1, "pg2")
    pg1.write_env("pg3", env(PORT="1", TLS="maybe"))
    before = pg1.snapshot()
    ran = pg1.sockwake("set", "pg*", "IDLE=2h")
    assert (ran.status, ran.stdout) == (USAGE, "") and "TLS 'maybe' is not known" in ran.stderr
    assert pg1.added_to(before) == []


def test_a_broken_file_can_be_mended_by_it(pg1: Tree) -> None:
    path = Path(pg1.instance("pg1").env_file)
    path.write_text(text(pg1).replace("IDLE=3min", "IDLE=often"))
    assert pg1.sockwake("set", "pg1", "IDLE=5min").status == 0
    assert "IDLE=5min\n" in text(pg1)


def test_what_other_machines_can_do_is_said(pg1: Tree) -> None:
    ran = pg1.sockwake("set", "pg1", "LISTEN=0.0.0.0")
    assert ran.status == 0
    assert "warning: it listens on 0.0.0.0" in ran.stderr
    assert pg1.sockwake("set", "pg1", "IDLE=4min").stderr == ""


def test_the_version_of_a_cluster_is_no_setting(pg1: Tree) -> None:
    os.unlink(pg1.instance("pg1").uninitialised_file)
    pg1.write_cluster("/var/lib/sockwake/pg1/18/docker", "18")
    before = pg1.snapshot()
    ran = pg1.sockwake("set", "pg1", "VERSION=17")
    assert ran.status == USAGE and "is a cluster of PostgreSQL 18, not 17" in ran.stderr
    assert pg1.added_to(before) == []


def test_the_engine_of_a_container_is_no_setting(tree: Tree) -> None:
    tree.new("pg1", "--runtime", "engine")
    ran = tree.sockwake("set", "pg1", "ENGINE=podman")
    assert ran.status == USAGE and "docker has the container of 'pg1'" in ran.stderr
    tree.new("pg2")  # by crun, which asks it for images
    assert tree.sockwake("set", "pg2", "ENGINE=podman").status == 0


def test_modes_stay(pg1: Tree) -> None:
    path = pg1.instance("pg1").env_file
    os.chmod(path, 0o600)
    assert pg1.sockwake("set", "pg1", "IDLE=4min").status == 0
    assert os.stat(path).st_mode & 0o777 == 0o600


def test_killed_at_any_step_it_is_as_before_or_done(pg1: Tree) -> None:
    before = text(pg1)
    after = before.replace("IDLE=3min", "IDLE=9min")
    path = Path(pg1.instance("pg1").env_file)
    reached = 0

    def work() -> int:
        return cli.main(["set", "pg1", "IDLE=9min", "--root", str(pg1)])

    for fault in (kill, disk_full):
        for ended in at_every_step(work, fault):
            reached = max(reached, ended.step)
            assert text(pg1) in (before, after), ended
            assert ended.status == KILLED or text(pg1) == (after if not ended.status else before)
            assert undisturbed(work).status == 0 and text(pg1) == after
            path.write_text(before)
    assert reached > 10


def editor(tree: Tree, command: str) -> dict[str, str]:
    path = tree.path / "editor"
    path.write_text(f"#!/bin/sh\n{command}\n")
    path.chmod(0o755)
    return {"VISUAL": f"{path} -x", "TMPDIR": str(tree.path / "run")}


def edit(tree: Tree, command: str, *options: str) -> tuple[int, str, str]:
    import sys

    from tree import SOCKWAKE

    assert sys.executable
    ran = run(*SOCKWAKE, "edit", "pg1", *options, "--root", str(tree), env=editor(tree, command))
    return ran.status, ran.stdout, ran.stderr


def test_an_editor_changes_a_copy_that_takes_the_place_when_it_is_valid(pg1: Tree) -> None:
    status, said, wrong = edit(pg1, 'sed -i s/3min/7min/ "$2"')
    assert (status, wrong) == (0, "")
    assert "+IDLE=7min\n" in said and said.endswith("Changed pg1; IDLE at the next wake.\n")
    assert "IDLE=7min\n" in text(pg1)
    assert edit(pg1, ":") == (0, "pg1 is as it was.\n", "")


def test_an_edit_that_is_not_valid_changes_nothing_and_is_kept(pg1: Tree) -> None:
    before = text(pg1)
    status, said, wrong = edit(pg1, 'echo COLOUR=red >>"$2"')
    assert (status, said, text(pg1)) == (1, "", before)
    assert "unknown key 'COLOUR'" in wrong and "your version is kept in " in wrong
    kept = wrong.rpartition("kept in ")[2].strip().rstrip(")")
    assert Path(kept).read_text() == f"{before}COLOUR=red\n"
    assert os.stat(kept).st_mode & 0o777 == 0o600


def test_an_editor_that_fails_changes_nothing(pg1: Tree) -> None:
    before = text(pg1)
    status, _, wrong = edit(pg1, 'echo IDLE=1 >"$2"; exit 3')
    assert status == 1 and "ended with status 3, so nothing was changed" in wrong
    assert text(pg1) == before


def test_what_was_changed_meanwhile_is_not_overwritten(pg1: Tree) -> None:
    path = pg1.instance("pg1").env_file
    status, _, wrong = edit(pg1, f'sed -i s/3min/7min/ "$2"; echo CHECK=none >>{path}')
    assert status == 4 and "was changed meanwhile" in wrong
    assert text(pg1).endswith("CHECK=none\n") and "IDLE=3min" in text(pg1)


def test_the_other_file_is_edited_by_an_option(pg1: Tree) -> None:
    status, said, _ = edit(pg1, 'sed -i s/256mb/512mb/ "$2"', "--compose")
    assert status == 0 and said.endswith("Changed pg1; compose.yaml at the next wake.\n")
    assert "512mb" in Path(pg1.instance("pg1").compose_file).read_text()
    status, _, wrong = edit(pg1, ":", "--unit")
    assert status == 1 and "has no service.conf" in wrong
    assert edit(pg1, ":", "--unit", "--compose")[0] == USAGE


def test_nothing_is_to_be_applied_to_what_sockwake_new_has_made(tmp_path: Path) -> None:
    tree = with_program(tmp_path / "tree")
    tree.new("pg1")
    make(tree, "web", CONTAINER)
    make(tree, "prog", COMMAND)
    before = tree.snapshot_of_names(), text(tree)
    assert (tree.sockwake("apply", "--check").status, tree.sockwake("apply").status) == (0, 0)
    assert (tree.snapshot_of_names(), text(tree)) == before


def test_files_of_a_configuration_tool_become_an_instance(tree: Tree) -> None:
    instance = tree.write_env("pg1", env())
    ran = tree.sockwake("apply", "pg1")
    assert ran.status == 1 and "has no compose.yaml, which defines its container" in ran.stderr
    Path(instance.compose_file).write_text("services: {postgres: {image: 'postgres:18'}}\n")
    before = tree.snapshot()
    checked = tree.sockwake("apply", "--check", "pg1")
    assert (checked.status, checked.stderr) == (PENDING, "")
    assert checked.stdout == "pg1: its data are to be made.\n"
    assert tree.added_to(before) == []
    assert tree.sockwake("apply").stdout == "applied pg1; its first wake makes its data.\n"
    assert os.path.exists(instance.uninitialised_file)
    assert tree.sockwake("apply", "--check").status == 0
    assert tree.sockwake("apply").stdout == "pg1 is as its files say.\n"


@pytest.mark.parametrize("there", ["password", "cluster", "bundle", "other"])
def test_data_that_there_may_have_been_are_never_made_anew(tree: Tree, there: str) -> None:
    instance = tree.write_env("pg1", env())
    Path(instance.compose_file).write_text("services: {postgres: {image: 'postgres:18'}}\n")
    if there == "password":
        Path(instance.password_file).write_text("secret\n")
    elif there == "bundle":
        bundle = tree.path / "var/lib/sockwake/bundles/pg1"
        bundle.mkdir(parents=True)
        (bundle / "image").write_text("sha256:1\n")
    elif there == "cluster":
        tree.write_cluster("/var/lib/sockwake/pg1/18/docker", "18")
    else:
        (tree.path / "var/lib/sockwake/pg1/lost+found").mkdir(parents=True)
    assert tree.sockwake("apply", "--check").status == 0
    assert tree.sockwake("apply", "pg1").status == 0
    assert not os.path.exists(instance.uninitialised_file)


def test_what_cannot_be_applied_keeps_no_other_from_it(pg1: Tree) -> None:
    pg1.write_env("bad", env(IDLE="often"))
    ran = pg1.sockwake("apply", "--check")
    assert ran.status == 1
    assert "sockwake: bad: " in ran.stderr and "not all of them can be applied" in ran.stderr
