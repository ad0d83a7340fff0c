"""A PostgreSQL of the host: Debian's own server in a sandbox, and everything else the same."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest

from database import Database
from host_postgres import SERVER, VERSION
from instances import Know, Make
from moment import until
from program import must, run, start
from refusal import ASLEEP_OR_FAILED
from soak import only_in_soak

MOST_EXPOSED = 2.5  # systemd's scale, from 0 to 10
AS_POSTGRES = ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups")


def await_initdb(data: Path) -> None:
    """Until initdb has made some files. data: the instance's, whose layout its version decides."""
    until("initdb runs", lambda: any((data / ".initialising").glob("**/base")))


def pid_of(database: Database) -> int:
    return database.main_pid(database.backend)


def test_data_survive_the_sleep_and_only_a_password_lets_in(host: Make) -> None:
    database = host()
    before = run("docker", "ps", "--all", "--quiet").out
    database.psql("create table kept as select 7 as n")
    assert Path(f"/proc/{pid_of(database)}/exe").resolve() == SERVER
    database.asleep()
    assert database.psql("select n from kept") == "7"
    assert run("docker", "ps", "--all", "--quiet").out == before, "an engine had a part in it"
    database.password = "wrong"
    assert "password authentication failed" in database.try_psql().expect(2).err
    shown = database.cluster / "pg_hba.conf"
    ways = re.findall(r"^(?:local|host)\s.*?(\S+)$", shown.read_text(), re.MULTILINE)
    assert ways and set(ways) == {"scram-sha-256"}
    database.asleep()
    assert "woken by 127.0.0.1:" in database.journal()


def test_its_server_is_unprivileged_in_a_sandbox_with_a_socket_for_the_proxy_alone(
    host: Make,
) -> None:
    database = host("--set", "work_mem=7MB", "--session-idle", "5min", idle="10min")
    assert database.psql("show work_mem") == "7MB"
    assert database.psql("show idle_session_timeout") == "5min"
    assert database.psql("show data_checksums") == "on"
    assert database.psql("show server_encoding") == "UTF8"
    status = Path(f"/proc/{pid_of(database)}/status").read_text()
    uid = must("id", "-u", "postgres").strip()
    for line in (rf"^Uid:\s+{uid}\b", r"^CapBnd:\s+0+$", r"^NoNewPrivs:\s+1$", r"^Seccomp:\s+2$"):
        assert re.search(line, status, re.MULTILINE), line
    links = must("nsenter", f"--target={pid_of(database)}", "--net", "ip", "-brief", "link")
    assert [line.split()[0] for line in links.splitlines()] == ["lo"]
    assert database.exposure(database.backend) <= MOST_EXPOSED
    door = f"/run/sockwake/{database}/backend/.s.PGSQL.5432"
    assert Path(door).is_socket() and run("ls", door, user="postgres").status != 0
    database.put_to_sleep()


@pytest.mark.makes
def test_the_first_wake_makes_what_was_not_provisioned(host: Make) -> None:
    arguments = ("--env", "POSTGRES_INITDB_ARGS=--locale=C")
    database = host(
        "--no-provision", "--tls", "--db-user", "me", "--db-name", "my db", *arguments, idle="1min"
    )
    assert not database.cluster.exists()
    asked = "select current_database(), datcollate, ssl from pg_database, pg_stat_ssl"
    where = "where datname = current_database() and pid = pg_backend_pid()"
    assert database.psql(f"{asked} {where}") == "my db|C|t"
    assert not (database.etc / "uninitialised").exists()
    database.put_to_sleep()


@pytest.mark.fault
@pytest.mark.makes
@pytest.mark.parametrize("victim", ["sockwake-init-pg1.service", "pg-wanted@pg1.service"])
def test_making_it_is_killed_and_the_next_client_makes_it(host: Make, victim: str) -> None:
    database = host("--no-provision")
    client = database.start_psql()
    await_initdb(database.data)
    must("systemctl", "kill", "--signal=KILL", victim)
    assert client.wait(60) in (0, 2), "served with its second try (sslmode=prefer), or told why"
    client.communicate()
    assert database.psql() == "1"
    assert not list(database.data.glob(".initial*"))
    database.asleep()


@pytest.mark.fault
@pytest.mark.makes
def test_a_sockwake_new_that_is_killed_leaves_nothing_running(host: Make, known: Know) -> None:
    database = known("pg1")
    data = Path("/var/lib/sockwake/pg1")
    options = ("--version", VERSION, "--runtime", "host", "--idle", "1s")
    for number in (signal.SIGTERM, signal.SIGKILL):
        maker = start("sockwake-new", "pg1", *options)
        await_initdb(data)
        maker.send_signal(number)
        maker.wait(30)
        maker.communicate()
        if number == signal.SIGTERM:
            assert not data.exists() and not database.etc.exists()
    must("sockwake-new", "pg1", *options, "--enable")
    assert database.psql() == "1"
    database.asleep()


@pytest.mark.fault
@pytest.mark.kills
def test_a_killed_server_recovers_whoever_has_its_number_now(host: Make) -> None:
    database = host(idle="1min")
    database.psql("create table kept as select 7 as n")
    database.kill(database.backend)
    database.asleep(backend=ASLEEP_OR_FAILED)  # until then a client is cut off
    assert database.psql("select n from kept") == "7"
    database.kill(database.backend)
    database.asleep(backend=ASLEEP_OR_FAILED)
    beside = start(*AS_POSTGRES, "sleep", "60")
    lines = (database.cluster / "postmaster.pid").read_text().partition("\n")[2]
    (database.cluster / "postmaster.pid").write_text(f"{beside.pid}\n{lines}")
    assert database.psql("select n from kept") == "7", "as after a crash of the machine"
    beside.kill()
    beside.communicate()
    database.put_to_sleep()


@pytest.mark.fault
def test_no_second_server_gets_its_data(host: Make) -> None:
    database = host("--no-provision", idle="1min")
    assert database.psql() == "1"
    own = "/var/lib/sockwake/pg2"
    other = host("--no-provision", "--data", own, name="pg2")
    assert other.psql() == "1"
    other.asleep()
    other.set("DATA", str(database.data))
    definition = other.etc / "service.conf"
    definition.write_text(definition.read_text().replace(own, str(database.data)))
    must("systemctl", "daemon-reload")
    other.password = database.password
    assert f"another instance is using {database.data}" in other.fatal()
    assert database.psql() == "1"
    other.asleep(backend=ASLEEP_OR_FAILED)
    other.set("DATA", own)
    database.put_to_sleep()
    beside = start(
        *AS_POSTGRES,
        str(SERVER),
        "-D",
        str(database.cluster),
        "-k",
        "/tmp",
        "-c",
        "listen_addresses=",
    )
    until("it runs", lambda: Path("/tmp/.s.PGSQL.5432").exists())
    assert "its server" in database.fatal(), "sockwake's gives way to one that was started by hand"
    beside.send_signal(signal.SIGINT)
    beside.communicate()
    database.asleep(backend=ASLEEP_OR_FAILED)
    assert database.psql() == "1"
    database.put_to_sleep()


def test_a_cluster_is_adopted_and_purged(host: Make, tmp_path: Path) -> None:
    data = tmp_path / "db"
    first = host("--data", str(data), name="before")
    first.psql("create table kept as select 7 as n")
    password = first.password
    first.asleep()
    run("sockwake", "rm", "before").expect(0, f"left the data and their password in {data}")
    database = host("--data", str(data))
    assert (database.password, database.psql("select n from kept")) == (password, "7")
    assert "RUNTIME=host" in (database.etc / "instance.env").read_text()
    assert not (database.etc / "compose.yaml").exists()
    database.asleep()
    must("sockwake", "rm", "pg1", "--purge")
    assert not data.exists()


@pytest.mark.fault
# with TLS its proxy starts in a network of its own
@pytest.mark.parametrize("options", [*only_in_soak(()), ("--tls",)])
def test_a_server_that_is_missing_is_told_with_the_way_out(
    host: Make, options: tuple[str, ...]
) -> None:
    ran = run("sockwake-new", "pg1", "--version", "16", "--runtime", "host").expect(1)
    assert "PostgreSQL 16 is not installed on this host" in ran.err
    assert "apt install postgresql-16" in ran.err
    database = host(*options)
    database.asleep()
    moved = SERVER.with_name("postgres.away")
    SERVER.rename(moved)
    try:
        assert f"PostgreSQL {VERSION} is not installed on this host" in database.fatal()
        database.asleep(backend=ASLEEP_OR_FAILED)
        journal = must("journalctl", "--unit", database.backend, "--output=cat", "--no-pager")
        assert f"apt install postgresql-{VERSION}" in journal
    finally:
        moved.rename(SERVER)
    assert database.psql() == "1", "as after an upgrade of the package"
    database.asleep()
    (database.cluster / "PG_VERSION").write_text("16\n")
    assert f"{database.cluster} is a cluster of PostgreSQL 16, not {VERSION}" in database.fatal()
    database.asleep(backend=ASLEEP_OR_FAILED)
    (database.cluster / "PG_VERSION").write_text(f"{VERSION}\n")


@pytest.mark.soak
@pytest.mark.fault
def test_pipes_in_its_data_hold_up_nobody(host: Make) -> None:
    """Its user can make them by SQL: root looks at these files in every wake."""
    database = host("--tls")
    assert database.psql() == "1"
    database.asleep()
    owner, folder = database.data.stat().st_uid, database.cluster
    as_owner = ("setpriv", f"--reuid={owner}", "--regid=nogroup", "--clear-groups", "sh", "-c")
    must(*as_owner, f"cd {folder} && rm server.crt && mkfifo server.crt")
    assert database.psql() == "1", "its certificate is made anew"
    database.asleep()
    must(*as_owner, f"cd {folder} && mv PG_VERSION was && mkfifo PG_VERSION")
    assert "it is no plain file" in database.fatal()
    database.asleep(backend=ASLEEP_OR_FAILED)
    must(*as_owner, f"cd {folder} && mv was PG_VERSION")
    assert database.psql() == "1"
    database.asleep()


def test_the_package_is_upgraded_under_a_session(host: Make) -> None:
    database = host(idle="1min")
    with database.at_work() as client:
        new = SERVER.with_name("postgres.new")
        must("cp", "--archive", str(SERVER), str(new))
        new.rename(SERVER)  # as dpkg does it
        assert client.value("select 1") == "1"
        assert database.psql() == "1"
    database.put_to_sleep()
    assert database.psql() == "1"
    database.put_to_sleep()
