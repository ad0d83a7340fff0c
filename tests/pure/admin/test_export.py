"""sockwake export: a directory whole or not at all, and one sentence for what cannot be."""

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from env_file import CONTAINER, PROJECT, text_of
from fault import KILLED, at_every_step, disk_full, kill, undisturbed
from sockwake.admin.leave import output
from sockwake.errors import EXISTS, FAILED, IN_USE, UNKNOWN, USAGE, SockwakeError
from sockwake.system import files
from tree import SOCKWAKE, Tree, run


def writing(place: Path) -> Callable[[], int]:
    def work() -> int:
        with output.made_whole(str(place)) as begun:
            files.write_new(f"{begun}/one", 0o600, "1")
            files.write_new(f"{begun}/two", 0o644, "2")
        return 0

    return work


def test_it_is_for_root_alone_and_nothing_is_beside_it(tmp_path: Path) -> None:
    place = tmp_path / "out"
    place.mkdir()  # empty, which is allowed
    assert writing(place)() == 0
    assert sorted(os.listdir(place)) == ["one", "two"]
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert os.listdir(tmp_path) == ["out"]


def test_killed_at_every_step_it_is_absent_or_whole_and_can_be_run_again(tmp_path: Path) -> None:
    place, reached = tmp_path / "out", 0
    for ended in at_every_step(writing(place), kill):
        reached = max(reached, ended.step)
        assert ended.status == (KILLED if ended.reached else 0), ended
        if place.exists():
            assert sorted({*os.listdir(place)} - {output.MARK}) == ["one", "two"], ended
        else:
            assert undisturbed(writing(place)).status == 0, ended
        assert os.listdir(tmp_path) == ["out"], ended
        for name in os.listdir(place):
            (place / name).unlink()
        place.rmdir()
    assert reached > 8


def test_after_an_error_nothing_is_left(tmp_path: Path) -> None:
    place = tmp_path / "out"

    def work() -> int:
        try:
            return writing(place)()
        except OSError:
            return 1

    for ended in at_every_step(work, disk_full):
        if ended.status:
            assert os.listdir(tmp_path) == [] or place.exists(), ended


def test_nothing_is_overwritten_and_nothing_of_others_is_removed(tmp_path: Path) -> None:
    full, file, begun = tmp_path / "full", tmp_path / "file", tmp_path / ".out.begun"
    full.mkdir()
    (full / "x").write_text("")
    file.write_text("")
    for place, said in ((full, "is not empty"), (file, "is no directory")):
        with pytest.raises(SockwakeError, match=said) as caught:
            writing(place)()
        assert caught.value.status == EXISTS
    with pytest.raises(SockwakeError, match="there is no directory"):
        writing(tmp_path / "none/out")()
    begun.mkdir()
    (begun / "x").write_text("")
    with pytest.raises(SockwakeError, match="no export has left it"):
        writing(tmp_path / "out")()
    assert (begun / "x").exists() and (full / "x").exists()


def test_two_at_once_do_not_write_into_each_other(tmp_path: Path) -> None:
    with (
        output.made_whole(str(tmp_path / "out")),
        pytest.raises(SockwakeError, match="another export") as caught,
    ):
        writing(tmp_path / "out")()
    assert caught.value.status == IN_USE


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["pg1"], USAGE, "say where it is to go"),
        (["pg1", "--to", "oracle"], USAGE, "target 'oracle' is not known"),
        (["pg1", "--to", "sql"], USAGE, "say where the files are to be"),
        (["pg1", "--to", "sql", "--output", "/"], USAGE, "is no directory for files"),
        (["pg1", "--to", "sql", "--output", "x", "--check"], USAGE, "--check writes no files"),
        (["pg1", "--to", "cloudnative-pg", "--host", "a b", "--check"], USAGE, "is no name or"),
        (["Nobody", "--to", "sql", "--check"], USAGE, "is not valid"),
        (["nobody-has-this", "--to", "sql", "--check"], UNKNOWN, "there is no instance"),
    ],
)
def test_what_cannot_be_is_one_sentence(words: list[str], status: int, said: str) -> None:
    ran = run(*SOCKWAKE, "export", *words)
    assert (ran.status, ran.stdout) == (status, ""), ran
    assert ran.stderr.startswith("sockwake: error: ") and said in ran.stderr, ran


def test_only_a_postgresql_is_exported_and_by_a_way_that_there_is(tree: Tree) -> None:
    from sockwake.admin.leave import export
    from sockwake.admin.leave.targets import TARGETS
    from sockwake.config.settings import load

    for text, way in ((CONTAINER, "sockwake compose web config"), (PROJECT, "is in /srv/shop")):
        web = tree.write_env("web", text_of(text))
        with pytest.raises(SockwakeError, match="is no PostgreSQL, but of kind") as caught:
            export._require_possible(web, load(web), export.Wish(TARGETS["sql"]))
        assert caught.value.status == FAILED and way in caught.value.hint
        shutil.rmtree(web.etc)
    tree.new("pg1")
    pg1 = tree.instance("pg1")
    for to, wish in (("sql", {"method": "standby"}), ("compose", {"database": "shop"})):
        with pytest.raises(SockwakeError) as caught:
            export._require_possible(pg1, load(pg1), export.Wish(TARGETS[to], **wish))
        assert caught.value.status == USAGE


@pytest.mark.parametrize(
    ("listen", "host"), [(["127.0.0.1", "10.0.0.5"], "10.0.0.5"), (["::1", "fd00::5"], "fd00::5")]
)
def test_other_machines_are_told_the_address_of_the_network(listen: list[str], host: str) -> None:
    from sockwake.admin.leave import export

    assert export._reached_at(listen) == host
    assert not export._reached_at(["0.0.0.0"]).startswith("0.")
