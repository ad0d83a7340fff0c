"""A cluster that clients could not log in to is refused when it is adopted, or mended."""

from __future__ import annotations

from pathlib import Path

import pytest

from instances import Make
from program import Ran, must, run

LINE = "local  all  all  scram-sha-256"
PEER = "# as Debian writes it\nlocal   all   all   peer\nhost all all 127.0.0.1/32 scram-sha-256\n"


@pytest.fixture
def left(instance: Make) -> Path:
    """The cluster that an instance pg1 has left behind, with a row in it."""
    database = instance()
    database.psql("create table kept as select 7 as n")
    database.asleep()
    cluster = database.cluster
    must("sockwake", "rm", "pg1")
    return cluster


def new(*options: str) -> Ran:
    return run("sockwake-new", "pg1", "--version", "18", *options)


def adopted(instance: Make, *options: str) -> Ran:
    """An adoption that must succeed, and whose clients log in."""
    database = instance("--fix-hba", *options)
    assert database.psql("select n from kept") == "7"
    return database.made


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (PEER, "/pg_hba.conf:2 says: local all all peer"),
        pytest.param(
            "local all all ident map=x\n",
            "/pg_hba.conf:1 says: local all all ident map=x",
            marks=pytest.mark.soak,
        ),
        ("local all all reject\n", "/pg_hba.conf:1 says: local all all reject"),
        pytest.param(
            "host all all all scram-sha-256\n",
            "has no line for user 'postgres' as clients come",
            marks=pytest.mark.soak,
        ),
        ("local all all trust\n", "lets strangers in without a password: "),
        pytest.param(
            "include nowhere.conf\n",
            "cannot be read: no such file or directory",
            marks=pytest.mark.soak,
        ),
    ],
)
def test_what_no_client_could_use_is_refused_with_the_line_and_mended_when_asked(
    instance: Make, left: Path, text: str, said: str
) -> None:
    (left / "pg_hba.conf").write_text(text)
    before = {path.name: path.stat().st_mtime_ns for path in left.iterdir()}
    new().expect(1, said, f"write this line above all others of {left}/pg_hba.conf: {LINE}")
    assert not Path("/etc/sockwake/pg1").exists()
    assert before == {path.name: path.stat().st_mtime_ns for path in left.iterdir()}
    made = adopted(instance)
    assert f"wrote '{LINE}' into {left}/pg_hba.conf" in made.err, made
    assert f"the old one is {left}/pg_hba.conf.before-sockwake" in made.err, made
    assert (left / "pg_hba.conf.before-sockwake").read_text() == text


def test_a_cluster_whose_files_are_in_etc_gets_its_own(instance: Make, left: Path) -> None:
    for name in ("pg_hba.conf", "postgresql.conf", "pg_ident.conf"):
        (left / name).unlink()
    new().expect(1, f"{left} has no postgresql.conf and no pg_hba.conf", "--fix-hba writes new")
    adopted(instance)


def test_a_cluster_that_asks_for_passwords_stays_as_it_is(instance: Make, left: Path) -> None:
    before = (left / "pg_hba.conf").read_text()
    assert "wrote" not in adopted(instance).err
    assert (left / "pg_hba.conf").read_text() == before


def test_an_adoption_that_fails_puts_the_old_file_back(left: Path) -> None:
    (left / "pg_hba.conf").write_text(PEER)
    new("--fix-hba", "--set", "nosuch=1").expect(1, "nosuch")
    assert (left / "pg_hba.conf").read_text() == PEER
    assert not (left / "pg_hba.conf.before-sockwake").exists()
    must("rm", "-r", "/var/lib/sockwake/pg1")


def test_what_is_kept_outside_is_refused_by_name(left: Path) -> None:
    wal = left / "pg_wal"
    wal.rename(left / "moved")
    wal.symlink_to("/srv/wal")
    new("--fix-hba").expect(1, f"{wal} is a link to /srv/wal, which its container does not have")
    wal.unlink()
    (left / "moved").rename(wal)
    with (left / "postgresql.conf").open("a") as file:
        file.write("hba_file = '/etc/postgresql/18/main/pg_hba.conf'\n")
    new("--fix-hba").expect(1, "says hba_file = '/etc/postgresql/18/main/pg_hba.conf'")
    must("rm", "-r", "/var/lib/sockwake/pg1")


def test_there_must_be_a_cluster_to_mend(machine: None) -> None:
    new("--fix-hba").expect(2, "--fix-hba is for a cluster that is there already")
    new("--fix-hba", "--no-provision").expect(2, "--fix-hba mends a cluster that is tried out")


@pytest.mark.soak
def test_with_tls_the_lines_for_the_loopback_count(instance: Make, left: Path) -> None:
    (left / "pg_hba.conf").write_text("local all all scram-sha-256\nhost all all all ident\n")
    new("--tls").expect(1, "host all all all ident", "host   all  all  127.0.0.1/32  scram-sha-256")
    adopted(instance, "--tls")
