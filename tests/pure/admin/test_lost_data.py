"""Data that are gone, or a backup that is no longer whole: nothing is made of what is left.

A disk that is not mounted leaves an empty directory, and a backup of that would have the real ones
expire.
"""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from kind_examples import CONTAINER, make

from sockwake.admin.make import origin_reading
from sockwake.errors import FAILED
from sockwake.lifecycle import backups
from test_backup import DATA, PLACE, cluster, listed, with_cluster
from tree import Tree


@pytest.fixture
def pg1(tree: Tree) -> Tree:
    """An instance with a backup of its data."""
    with_cluster(tree, "pg1")
    assert tree.sockwake("backup", "pg1").status == 0
    return tree


def away(place: Path) -> None:
    shutil.rmtree(place)


def emptied(place: Path) -> None:
    shutil.rmtree(place)
    place.mkdir()


@pytest.mark.parametrize("lose", [away, emptied])
@pytest.mark.parametrize("words", [["backup"], ["backup", "--if-changed"], ["copy", "b"]])
def test_a_cluster_that_is_gone_is_told_and_nothing_is_made_of_it(
    pg1: Tree, lose: Callable[[Path], None], words: list[str]
) -> None:
    env = Path(pg1.instance("pg1").env_file)
    env.write_text(f"{env.read_text()}KEEP_BACKUPS=1\n")
    lose(pg1.path / DATA / "pg1")
    before = pg1.snapshot()
    verb, *more = words
    ran = pg1.sockwake(verb, "pg1", *more)
    assert (ran.status, ran.stdout) == (FAILED, "")
    assert f"there is no database cluster in {pg1}/{DATA}/pg1/18/docker" in ran.stderr
    assert "(hint: is its disk mounted?)" in ran.stderr
    noted = [f"{PLACE}/pg1/failure"] if verb == "backup" else []
    assert pg1.added_to(before) == noted
    assert len(listed(pg1)) == 1, "the real one has not expired"


@pytest.mark.parametrize(
    ("lose", "place"),
    [
        (away, f"{DATA}/web"),
        (emptied, f"{DATA}/web"),
        (emptied, f"{DATA}/bundles/web.volumes/cache"),
    ],
)
def test_what_a_container_kept_and_is_gone_is_told(
    tree: Tree, lose: Callable[[Path], None], place: str
) -> None:
    make(tree, "web", [*CONTAINER, "--mount", "/data"])
    os.unlink(tree.instance("web").uninitialised_file)
    for each in (f"{DATA}/web", f"{DATA}/bundles/web.volumes/cache"):
        (tree.path / each).mkdir(parents=True)
        (tree.path / each / "file").write_text("x")
    assert tree.sockwake("backup", "web").status == 0
    lose(tree.path / place)
    ran = tree.sockwake("backup", "web")
    assert (ran.status, ran.stdout) == (FAILED, "")
    assert f"{tree}/{place} has no file, and it has some in the backup of " in ran.stderr
    assert len(listed(tree)) == 1
    (tree.path / place).mkdir(exist_ok=True)
    (tree.path / place / ".empty").write_text("")
    assert tree.sockwake("backup", "web").status == 0, "it is meant to be empty"


def no_data(backup: Path) -> None:
    shutil.rmtree(backup / "data")


def no_file(backup: Path) -> None:
    (backup / "data/18/docker/rows").unlink()


def cut(backup: Path) -> None:
    os.truncate(backup / "data/18/docker/rows", 1)


def no_settings(backup: Path) -> None:
    (backup / "instance/compose.yaml").unlink()


@pytest.mark.parametrize("spoil", [no_data, no_file, cut, no_settings])
@pytest.mark.parametrize("is_named", [True, False])
def test_of_a_backup_that_is_not_whole_nothing_is_made(
    pg1: Tree, spoil: Callable[[Path], None], is_named: bool
) -> None:
    (found,) = listed(pg1)
    spoil(Path(found["path"]))
    (cluster(pg1, "pg1") / "rows").write_text("43")
    before = pg1.snapshot()
    which = ["--from", found["timestamp"]] if is_named else []
    attempts = [["restore", "pg1", *which], ["restore", "pg1", "--as", "b", *which]]
    if is_named:
        attempts.append(["copy", "pg1", "b", *which])
    for words in attempts:
        ran = pg1.sockwake(words[0], *words[1:])
        assert (ran.status, ran.stdout) == (FAILED, ""), ran
        assert f"backup {found['timestamp']} of 'pg1' is damaged: it has " in ran.stderr, ran
        assert pg1.added_to(before) == [], words
    with pytest.raises(backups.DamagedError):  # of sockwake-new --from
        origin_reading.read(found["path"])
    assert (cluster(pg1, "pg1") / "rows").read_text() == "43"


def test_one_that_was_found_damaged_is_taken_when_it_is_named_and_told(pg1: Tree) -> None:
    (found,) = listed(pg1)
    status = Path(found["path"], "status")
    status.write_text(json.dumps(json.loads(status.read_text()) | {"damage": "page 7"}))
    ran = pg1.sockwake("restore", "pg1")
    assert (ran.status, ran.stdout) == (FAILED, "")
    assert "no backup of 'pg1' is good; the newest is damaged: page 7" in ran.stderr
    assert f"(hint: --from {found['timestamp']} takes it all the same)" in ran.stderr
    ran = pg1.sockwake("restore", "pg1", "--from", found["timestamp"])
    assert ran.status == 0
    assert ran.stderr == (
        f"sockwake: warning: backup {found['timestamp']} of 'pg1' was found damaged: page 7\n"
    )
