"""sockwake-new: what it makes."""

from __future__ import annotations

import json
import stat
import subprocess

import pytest

from instances import Know, Make
from program import must, run

pytestmark = pytest.mark.makes


def test_says_what_was_made_where_the_password_is_and_what_to_type_next(instance: Make) -> None:
    database = instance(enable=False)
    said = database.made
    said.expect(
        0,
        "Made instance 'pg1' in /etc/sockwake/pg1.",
        "postgresql://postgres@127.0.0.1:25432/postgres",
        "/etc/sockwake/pg1/password",
        "/var/lib/sockwake/pg1",
    )
    assert database.password not in said.out + said.err
    assert said.err == ""
    following = said.out.splitlines()[-1].strip()
    assert following == "systemctl enable --now pg-proxy@pg1.socket"
    assert database.state(database.socket) == "inactive"
    assert must("docker", "ps", "--quiet") == ""
    must(*following.split())
    dsn = next(word for word in said.out.split() if word.startswith("postgresql://"))
    assert must("psql", dsn, "-XAtc", "select 1", env={"PGPASSWORD": database.password}) == "1\n"


def test_file_modes(instance: Make) -> None:
    database = instance()
    found = {entry.name: stat.filemode(entry.stat().st_mode) for entry in database.etc.iterdir()}
    assert found.pop("engine-choice", "-rw-r--r--") == "-rw-r--r--"  # where there was a choice
    assert found == {
        "instance.env": "-rw-r--r--",
        "compose.yaml": "-rw-r--r--",
        "password": "-rw-------",
    }
    assert stat.filemode(database.etc.stat().st_mode) == "drwxr-xr-x"
    assert {entry.stat().st_uid for entry in database.etc.iterdir()} == {0}
    assert stat.filemode(database.cluster.stat().st_mode) == "drwx------"


@pytest.mark.engine
def test_password_is_random_and_the_only_way_in(instance: Make) -> None:
    database = instance()
    password = database.password
    assert len(password) >= 22, "128 bits are 22 characters of 64"
    hba = "select string_agg(distinct auth_method, ' ') from pg_hba_file_rules"
    assert database.psql(hba) == "scram-sha-256"
    assert (
        database.psql(
            "select rolpassword ~ '^SCRAM-SHA-256' from pg_authid where rolname = current_user"
        )
        == "t"
    )
    database.password = "wrong"
    assert "password authentication failed" in database.fatal()
    database.password = password
    psql = "psql --username=postgres --no-password -c".split()
    inside = run("docker", "exec", "--user=postgres", database.container, *psql, "select 1")
    inside.expect(2, "no password supplied")


def test_each_instance_has_its_own_password(instance: Make) -> None:
    first, second = instance("--no-provision", name="pg1"), instance("--no-provision", name="pg2")
    assert first.password != second.password


def test_sockwake_new_makes_one_and_ls_shows_its_state(known: Know) -> None:
    database = known("pg1")
    must("sockwake", "new", "pg1", "--version", "18", "--idle", "1s")
    assert _listed() == [("off", 0)]
    database.open()
    assert _listed() == [("asleep", 0)]
    with database.at_work():
        assert _listed() == [("awake", 1)]
        assert "pg1   postgres  18       127.0.0.1:25432  awake  " in must("sockwake", "ls")
    database.asleep()
    assert _listed() == [("asleep", 0)]


def _listed() -> list[tuple[str, int]]:
    return [(row["state"], row["clients"]) for row in json.loads(must("sockwake", "ls", "--json"))]


@pytest.mark.soak
def test_twenty_at_once_get_twenty_ports(known: Know, image: str) -> None:
    databases = [known(f"pg{number}") for number in range(1, 21)]
    started = [
        subprocess.Popen(
            ["sockwake-new", database.name, "--version", "18", "--no-provision", "--quiet"]
        )
        for database in databases
    ]
    assert [child.wait(300) for child in started] == [0] * 20
    assert sorted(database.port for database in databases) == list(range(25432, 25452))
