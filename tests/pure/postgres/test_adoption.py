"""What a cluster's own files say that matters to those who adopt it."""

from pathlib import Path

import pytest

from sockwake.errors import SockwakeError
from sockwake.postgres.adoption import Mending, require_login, setting
from sockwake.postgres.cluster import require_version
from sockwake.postgres.hba import Client

CLIENT = Client("postgres", "postgres", False)


def cluster(folder: Path, hba: str | None, conf: str | None = "") -> str:
    (folder / "PG_VERSION").write_text("17\n")
    for name, text in (("pg_hba.conf", hba), ("postgresql.conf", conf)):
        if text is not None:
            (folder / name).write_text(text)
    return str(folder)


@pytest.mark.parametrize(
    ("conf", "auto", "found"),
    [
        ("", "", ""),
        ("#hba_file = 'no'\n", "", ""),
        ("hba_file = 'it''s' # comment\n", "", "it's"),
        ("HBA_FILE plain\n", "", "plain"),
        ("hba_file = 'one'\nhba_file='two'\n", "", "two"),
        ("hba_file = 'one'\n", "hba_file = 'auto'\n", "auto"),
    ],
)
def test_the_last_line_of_a_setting_counts(
    tmp_path: Path, conf: str, auto: str, found: str
) -> None:
    cluster(tmp_path, "", conf)
    (tmp_path / "postgresql.auto.conf").write_text(auto)
    assert setting(str(tmp_path), "hba_file") == found


def test_mending_can_be_undone_and_keeps_every_old_file(tmp_path: Path) -> None:
    where = cluster(tmp_path, "local all all peer\n", None)
    (tmp_path / "pg_hba.conf.before-sockwake").write_text("older")
    before = {path.name: path.read_text() for path in tmp_path.iterdir()}
    mending = Mending(where, 17, CLIENT)
    mending.mend()
    require_login(where, 17, CLIENT)
    assert (tmp_path / "pg_hba.conf.before-sockwake.2").read_text() == "local all all peer\n"
    assert len(mending.said) == 2
    mending.undo()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == before


def test_lines_that_the_server_cannot_read_are_left_out(tmp_path: Path) -> None:
    where = cluster(tmp_path, "include none.conf\n")
    Mending(where, 17, CLIENT).mend()
    require_login(where, 17, CLIENT)
    assert "include" not in (tmp_path / "pg_hba.conf").read_text()


def test_no_link_is_followed(tmp_path: Path) -> None:
    where = cluster(tmp_path, None)
    (tmp_path / "victim").write_text("as it was")
    (tmp_path / "pg_hba.conf").symlink_to(tmp_path / "victim")
    with pytest.raises(SockwakeError, match="cannot be read"):
        require_login(where, 17, CLIENT)
    Mending(where, 17, CLIENT).mend()
    assert (tmp_path / "victim").read_text() == "as it was"
    require_login(where, 17, CLIENT)


@pytest.mark.parametrize(
    ("found", "adopt", "own"),
    [
        ("9.6", "; pg_upgrade makes it 17", "sockwake upgrade pg1 --version 17"),
        ("16", "; pg_upgrade makes it 17", "sockwake upgrade pg1 --version 17"),
        ("18", "", "leave VERSION as it is, 18"),
        ("19devel", "; pg_upgrade makes it 17", "sockwake upgrade pg1 --version 17"),
        ("", "; pg_upgrade makes it 17", "sockwake upgrade pg1 --version 17"),
    ],
)
def test_a_cluster_of_another_version_is_refused_whatever_that_is(
    tmp_path: Path, found: str, adopt: str, own: str
) -> None:
    (tmp_path / "PG_VERSION").write_text(f"{found}\n")
    for instance, hint in (("", f"--version {found} adopts it{adopt}"), ("pg1", own)):
        with pytest.raises(SockwakeError, match=f"of PostgreSQL {found}, not 17") as caught:
            require_version(str(tmp_path), 17, instance)
        assert caught.value.hint == hint
