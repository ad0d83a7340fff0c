"""What is not there, and is almost the word for something else: the error names that."""

import pytest

from env_file import env
from sockwake.admin.show import ls
from sockwake.admin.steer import keep
from sockwake.config.instance import Name
from sockwake.errors import UNKNOWN, USAGE, SockwakeError
from sockwake.kinds.table import KINDS
from sockwake.lifecycle import holds
from tree import SOCKWAKE, Tree, run


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("staus pg1", "is it status? sockwake --help"),
        ("stat pg1", "is it status? sockwake --help"),
        ("bakcup pg1", "is it backup or backups? sockwake --help"),
        ("list", "is it ls? sockwake --help"),
        ("delete pg1", "is it rm? sockwake --help"),
        ("version", "is it --version? sockwake --help"),
        ("images list", "is it ls? sockwake images --help"),
        ("frobnicate pg1", "sockwake --help"),
        ("pg1 status", "the command comes first: sockwake status pg1"),
        ("pg1 stop", "the command comes first: sockwake stop pg1"),
        ("--json ls", "options stand behind the command"),
        ("-v", "options stand behind the command"),
        ("ls --jsno", "is it --json? sockwake ls --help"),
        ("new pg1 --verison=18", "is it --version? sockwake new --help"),
        ("keep pg1 --fro 2h", "is it --for? sockwake keep --help"),
        ("set pg1 IDEL=3min", "is it IDLE? instance.env(5) has those there are"),
        ("set pg1 idle=3min", "is it IDLE? instance.env(5) has those there are"),
        ("status pg-proxy@pg1.socket", "as in pg1"),
        ("status pg-keep@pg1:2.service", "as in pg1"),
        ("wake pg-postgres@pg1", "as in pg1"),
        ("new My_Shop.db --version 18", "as in my-shop-db"),
        ("runtime pg1 docker", "engine is one: ENGINE= says which engine that is"),
        ("ls --filter state=alseep", f"is it asleep? there are {', '.join(ls.STATES)}"),
        ("ls --filter kind=postgresql", f"is it postgres? there are {', '.join(KINDS)}"),
        ("exec pg1 ls", "a command stands behind --, as in sockwake exec NAME -- ls"),
    ],
)
def test_what_is_meant_is_named(words: str, hint: str) -> None:
    ran = run(*SOCKWAKE, *words.split())
    assert (ran.status, ran.stdout) == (USAGE, "")
    assert ran.stderr.endswith(f"\n(hint: {hint})\n"), ran


def test_a_filter_of_another_key_names_the_nearest() -> None:
    ran = run(*SOCKWAKE, "ls", "--filter", "status=asleep")
    assert ran.status == USAGE and "(hint: is it state? there are name, " in ran.stderr


def test_an_instance_of_almost_this_name_is_named(tree: Tree) -> None:
    tree.write_env("shop", env())
    tree.write_env("pg1", env())
    for words in (["ls", "shpo"], ["rm", "shpo"], ["set", "shpo", "IDLE=4min"], ["dsn", "shpo"]):
        ran = tree.sockwake(*words)
        assert ran.status == UNKNOWN, ran
        assert "there is no instance 'shpo'" in ran.stderr
        assert "(hint: is it shop? sockwake ls --root" in ran.stderr
    assert "is it" not in tree.sockwake("rm", "pg2").stderr  # is another one, not a mistake


def test_the_second_word_of_a_time_is_no_instance(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[object] = []
    monkeypatch.setattr(keep, "require_power", lambda: None)
    monkeypatch.setattr(keep, "load", lambda _: None)
    monkeypatch.setattr(holds, "take", lambda *one, **_: taken.append(one))
    with pytest.raises(SockwakeError, match="no instance 'hours'") as caught:
        keep.keep([Name("pg1"), Name("hours")], "", "2026-12-01 10:00:00")  # --for 2 hours
    assert caught.value.hint == "a time of several words is quoted, as in --for '2 hours'"
    assert not taken


@pytest.mark.parametrize(
    ("version", "hint"),
    [("18", "sockwake upgrade{root} pg1 --version 18"), ("16", "leave VERSION as it is, 17")],
)
def test_a_version_that_is_set_and_not_the_clusters(tree: Tree, version: str, hint: str) -> None:
    tree.write_env("pg1", env(VERSION="17"))
    (tree.path / "etc/sockwake/pg1/compose.yaml").write_text("services: {}\n")
    tree.write_cluster("/var/lib/sockwake/pg1", "17")
    ran = tree.sockwake("set", "pg1", f"VERSION={version}")
    assert ran.status and "adopts" not in ran.stderr, ran
    assert hint.format(root=f" --root {tree}") in ran.stderr, ran
