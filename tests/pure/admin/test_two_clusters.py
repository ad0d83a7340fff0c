"""Two clusters in one data directory change places, also when that is killed at any step."""

import os
from itertools import count
from pathlib import Path

import pytest

from sockwake.admin.upkeep import two_clusters
from sockwake.errors import SockwakeError
from sockwake.system import deletion

FILES = ("PG_VERSION", "base/1", "pg_hba.conf", "own.conf")


class Killed(BaseException):
    """A signal."""


def cluster(path: Path, major: int) -> None:
    for name in FILES:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(f"{major}\n")


def major_at(path: Path) -> set[str]:
    """The versions that the files of a cluster are of."""
    return {(path / name).read_text().strip() for name in FILES if (path / name).exists()}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    made = tmp_path / "data"
    made.mkdir()
    (made / "sockwake-password").write_text("secret\n")
    return made


@pytest.mark.parametrize(
    ("old", "new", "places"),
    [
        (16, 17, ("16/docker", "")),
        (17, 18, ("", "18/docker")),
        (18, 19, ("18/docker", "19/docker")),
    ],
)
def test_both_are_whole_there_and_back(
    data: Path, old: int, new: int, places: tuple[str, str]
) -> None:
    cluster(data / two_clusters.served(old), old)
    cluster(data / two_clusters.NEW, new)
    two_clusters.take_in(str(data), new, old)
    two_clusters.discard_work(str(data))
    two_clusters.switch(str(data), old, new)
    assert [major_at(data / place) for place in places] == [{f"{old}"}, {f"{new}"}]
    two_clusters.switch(str(data), new, old)
    assert major_at(data / two_clusters.served(old)) == {f"{old}"}
    assert major_at(data / two_clusters.kept(new, old)) == {f"{new}"}
    assert (data / "sockwake-password").exists()
    two_clusters.forget(str(data), new, old)
    assert major_at(data / two_clusters.served(old)) == {f"{old}"}
    assert not (data / f"{new}").exists()


def test_a_switch_that_is_killed_at_any_step_is_finished_by_the_next(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is served meanwhile that is not whole: the proof is moved last, and out first."""
    real = os.rename
    for step in count():
        for path in data.iterdir():
            if path.name != "sockwake-password":
                if path.is_dir():
                    deletion.tree(str(path))
                else:
                    path.unlink()
        cluster(data, 16)
        cluster(data / "17/docker", 17)
        left = step

        def rename(source: str, target: str) -> None:
            nonlocal left
            if not left:
                raise Killed
            left -= 1
            real(source, target)

        monkeypatch.setattr(os, "rename", rename)
        try:
            two_clusters.switch(str(data), 16, 17)
            was_killed = False
        except Killed:
            was_killed = True
        monkeypatch.setattr(os, "rename", real)
        if (data / "PG_VERSION").exists():
            assert len(major_at(data)) == 1 and all((data / name).exists() for name in FILES), step
        two_clusters.switch(str(data), 16, 17)
        assert (major_at(data), major_at(data / "16/docker")) == ({"17"}, {"16"}), step
        if not was_killed:
            break
    assert step > 2 * len(FILES) - 2


def test_only_what_postgresql_makes_is_forgotten_beside_a_later_cluster(data: Path) -> None:
    cluster(data, 17)
    cluster(data / "18/docker", 18)
    (data / "mine.sql").write_text("select 1\n")
    left = two_clusters.forget(str(data), 17, 18)
    assert sorted(Path(path).name for path in left) == ["mine.sql", "own.conf"]
    assert major_at(data / "18/docker") == {"18"} and not (data / "base").exists()
    assert two_clusters.forget(str(data), 17, 18) == [], "also when it was killed behind that"


def test_another_cluster_in_its_place_is_not_forgotten(data: Path) -> None:
    cluster(data, 16)
    with pytest.raises(SockwakeError, match="is a cluster of PostgreSQL 16, not 17"):
        two_clusters.forget(str(data), 17, 18)
    assert major_at(data) == {"16"}


def test_configuration_is_all_that_is_no_data(data: Path) -> None:
    cluster(data, 17)
    (data / "conf.d").mkdir()
    assert two_clusters.configuration(str(data)) == ["conf.d", "own.conf", "pg_hba.conf"]
