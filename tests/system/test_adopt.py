"""--data: a directory of the administrator's own, and the cluster that may be in it already."""

from __future__ import annotations

from pathlib import Path

from instances import Make
from program import must, run

EXISTS = 3


def left_behind(instance: Make, data: Path, version: str = "18") -> str:
    """The data of an instance that was removed without --purge; returns its password."""
    database = instance("--data", str(data), name="before", version=version)
    database.psql("create table kept as select generate_series(1, 1000) as n")
    password = database.password
    database.asleep()
    run("sockwake", "rm", "before").expect(0, f"in {data}")
    return password


def refused(data: Path, *options: str) -> str:
    """A sockwake-new that must leave the data as they are."""
    ran = run("sockwake-new", "pg1", "--data", str(data), *options)
    assert ran.status in (1, EXISTS), ran
    assert ran.err.startswith("sockwake: error: ") and not Path("/etc/sockwake/pg1").exists(), ran
    return ran.err


def test_existing_cluster_is_adopted_with_its_password(instance: Make, tmp_path: Path) -> None:
    data = tmp_path / "db"
    password = left_behind(instance, data)
    database = instance("--data", str(data))
    assert database.password == password
    assert database.psql("select sum(n) from kept") == "500500"
    database.asleep()
    must("sockwake", "rm", "pg1", "--purge")
    assert not data.exists()


def test_cluster_of_another_version_is_refused(instance: Make, tmp_path: Path) -> None:
    left_behind(instance, tmp_path / "db", "17")
    assert "is not empty and holds no cluster of PostgreSQL 18" in refused(
        tmp_path / "db", "--version", "18"
    )
    said = refused(tmp_path / "db", "--version", "16", "--image", "postgres:17")
    assert f"{tmp_path}/db is a cluster of PostgreSQL 17, not 16" in said
    assert (
        instance("--data", f"{tmp_path}/db", version="17").psql("select sum(n) from kept")
        == "500500"
    )


def test_cluster_that_is_in_use_is_refused(instance: Make, tmp_path: Path) -> None:
    database = instance("--data", f"{tmp_path}/db", name="owner")
    with database.at_work() as client:
        assert f"{tmp_path}/db belongs to instance 'owner'" in refused(
            tmp_path / "db", "--version", "18"
        )
        assert client.value("select 1") == "1"
    database.asleep()
    assert f"{tmp_path}/db belongs to instance 'owner'" in refused(
        tmp_path / "db", "--version", "18"
    )
    assert database.psql() == "1"


def test_cluster_with_a_postmaster_pid_is_refused(instance: Make, tmp_path: Path) -> None:
    left_behind(instance, tmp_path / "db")
    pid = tmp_path / "db/18/docker/postmaster.pid"
    pid.write_text("1\n")
    assert "has a postmaster.pid: a server is running on it, or did not stop cleanly" in refused(
        tmp_path / "db", "--version", "18"
    )
    pid.unlink()
    instance("--data", f"{tmp_path}/db")


def test_cluster_that_trusts_every_client_is_refused_and_stays_as_it_is(
    instance: Make, tmp_path: Path
) -> None:
    password = left_behind(instance, tmp_path / "db")
    hba = tmp_path / "db/18/docker/pg_hba.conf"
    careful = hba.read_text()
    hba.write_text("local all all trust\n")
    assert "its server lets strangers in without a password" in refused(
        tmp_path / "db", "--version", "18"
    )
    assert hba.read_text() == "local all all trust\n"
    hba.write_text(careful)
    database = instance("--data", f"{tmp_path}/db")
    assert database.password == password
    assert database.psql("select sum(n) from kept") == "500500"


def test_empty_directory_of_the_administrators_own_is_used_and_kept_when_making_fails(
    instance: Make, tmp_path: Path
) -> None:
    data = tmp_path / "db"
    data.mkdir()
    assert "unrecognized configuration parameter" in refused(
        data, "--version", "18", "--set", "nosuch=1"
    )
    assert list(data.iterdir()) == []
    assert instance("--data", str(data)).psql() == "1"
