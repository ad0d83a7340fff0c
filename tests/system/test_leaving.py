"""The way out and back: an export runs elsewhere, and a dump or a base backup wakes here."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import signal
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from database import Database
from host_postgres import SERVER, VERSION, version_for
from instances import Know, Make
from moment import until
from program import Ran, must, run, start

FAILED, USAGE, EXISTS = 1, 2, 3
ODD = 'odd; "db'
FILL = (
    "create role app login password 'geheim'",
    "create extension hstore",
    "create table t (id int primary key, x text)",
    "insert into t select i, 'row ' || i from generate_series(1, 1000) i",
    "alter table t owner to app",
    'create database "odd; ""db"',
)


def sockwake(*words: str, status: int = 0) -> Ran:
    return run("sockwake", *words, timeout=180).expect(status)


def new_from(path: Path | str, name: str, *words: str, status: int = 0) -> Ran:
    argv = ("sockwake-new", name, "--from", str(path), "--idle", "1s", "--enable", *words)
    return run(*argv, timeout=240).expect(status)


def fill(database: Database) -> None:
    for statement in FILL:
        database.psql(statement)
    database.psql("create table u as select 42 as n", "-d", ODD)


def has_all(database: Database) -> None:
    """Every row is there, and roles log in with the passwords that they had."""
    assert database.psql("select count(*), max(x), hstore('a', 'b') from t") == (
        '1000|row 999|"a"=>"b"'
    )
    assert database.psql("table u", "-d", ODD) == "42"
    where = ("-h", "127.0.0.1", "-p", str(database.port), "-U", "app", "-d", "postgres")
    shown = must("psql", *where, "-XAtc", "select max(x) from t", env={"PGPASSWORD": "geheim"})
    assert shown.strip() == "row 999"


@contextmanager
def brought_up(folder: Path, *down: str) -> Iterator[None]:
    """What load starts, until it is taken away again."""
    try:
        run("sh", str(folder / "load"), timeout=240).expect(0, "All of cluster.sql is loaded.")
        yield
    finally:
        run("sh", "-c", " ".join(down), cwd=str(folder), timeout=120).expect(0)


def by_podman(version: str, *secrets: str) -> str:
    """Give podman the image of a Quadlet; the command that takes all of it away again."""
    must("sh", "-c", f"docker save postgres:{version} | podman load", timeout=180)
    return (
        "systemctl stop pg1; rm /etc/containers/systemd/pg1.container; systemctl daemon-reload; "
        f"podman volume rm pg1-data; podman secret rm {' '.join(f'pg1-{each}' for each in secrets)}"
        f"; podman rmi docker.io/library/postgres:{version}"
    )


def modes(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


def test_what_is_exported_runs_with_docker_and_with_podman_as_it_was(
    instance: Make, tmp_path: Path
) -> None:
    database = instance("--port", "25501", "--set", "work_mem=7MB")
    fill(database)
    said = sockwake("export", "pg1", "--to", "compose", "--output", str(tmp_path / "compose")).out
    assert "fine   extensions: extension hstore" in said and "/README." in said
    asked = ("export", "pg1", "--to", "quadlet", "--output", str(tmp_path / "quadlet"), "--json")
    told = json.loads(sockwake(*asked).out)
    assert told["databases"] == [ODD, "postgres"] and "pg1.container" in told["files"]
    assert (tmp_path / "compose").stat().st_mode & 0o777 == 0o700
    found = modes(tmp_path / "compose")
    assert len(found) <= 10 and found["cluster.sql"] == found["password"] == 0o600
    assert (tmp_path / "compose/cluster.sql").owner() == "root"
    database.asleep()
    must("systemctl", "disable", "--now", database.socket)

    with brought_up(tmp_path / "compose", "docker-compose down --volumes"):
        has_all(database)
        assert database.psql("show work_mem") == "7MB", "by its old address and password"

    with brought_up(tmp_path / "quadlet", by_podman("18", "password")):
        has_all(database)
        assert database.psql("show work_mem") == "7MB"
        assert must("systemctl", "is-active", "pg1.service").strip() == "active"


@pytest.mark.soak
@pytest.mark.parametrize("runtime", ["crun", "host"])
def test_a_server_that_has_tls_can_read_its_key_where_it_goes(
    instance: Make, tmp_path: Path, runtime: str
) -> None:
    version = version_for(runtime)
    if runtime == "host" and not SERVER.exists():
        pytest.skip(f"{SERVER} is not on this machine")
    database = instance("--port", "25501", "--tls", "--runtime", runtime, version=version)
    for to in ("compose", "quadlet"):
        sockwake("export", "pg1", "--to", to, "--output", str(tmp_path / to))
    database.asleep()
    must("systemctl", "disable", "--now", database.socket)
    asked = ("show ssl", "-d", "sslmode=require")
    with brought_up(tmp_path / "compose", "docker-compose down --volumes"):
        assert database.psql(*asked) == "on"
    with brought_up(tmp_path / "quadlet", by_podman(version, "password", "key", "certificate")):
        assert database.psql(*asked) == "on"


def test_what_stands_in_the_way_is_said_and_nothing_is_written(
    instance: Make, tmp_path: Path
) -> None:
    database = instance("--port", "25501", "--tls")
    fill(database)
    database.psql("create database patterns is_template true allow_connections false")
    database.psql("select pg_create_physical_replication_slot('s')")
    out = str(tmp_path / "out")
    to = ("export", "pg1", "--to", "cloudnative-pg", "--method", "subscription")
    said = sockwake(*to, "--check", status=FAILED).out
    assert said.splitlines()[1].startswith("  stops  replication: a subscription needs wal_level")
    assert "  lost   replication: replication slots s" in said
    assert "  lost   databases: patterns: no connection is allowed" in said
    assert "on this machine alone" in said
    refused = sockwake(*to, "--output", out, status=FAILED).err
    assert "cannot go to CloudNativePG" in refused and not Path(out).exists()
    checked = json.loads(sockwake("export", "pg1", "--to", "sql", "--check", "--json").out)
    assert checked["files"] == [] and checked["points"][0]["weight"] == "lost"
    asked = ("--to", "cloudnative-pg", "--host", "10.0.0.9", "--output", out)
    sockwake("export", "pg1", *asked)
    assert "sslmode: verify-ca" in Path(out, "cluster.yaml").read_text()
    again = sockwake("export", "pg1", *asked, status=EXISTS).err
    assert "is not empty" in again
    database.psql("select pg_drop_replication_slot('s')")
    database.asleep()


@pytest.mark.soak
@pytest.mark.fault
def test_an_export_that_was_killed_leaves_nothing_that_looks_whole(
    instance: Make, tmp_path: Path
) -> None:
    database = instance("--port", "25501")
    database.psql(
        "create table big as select i, repeat(md5(i::text), 20) from generate_series(1, 200000) i"
    )
    out, begun = tmp_path / "out", tmp_path / ".out.begun"
    for number in (signal.SIGTERM, signal.SIGKILL):
        process = start("sockwake", "export", "pg1", "--to", "sql", "--output", str(out))
        dumped = begun / "cluster.sql"
        until("it dumps", lambda: dumped.exists() and dumped.stat().st_size > 1 << 20)
        process.send_signal(number)
        process.wait(60)
        assert not out.exists() and begun.exists() == (number == signal.SIGKILL)
        until("no dump goes on", lambda: not run("pgrep", "-x", "pg_dumpall").out, 20)
    sockwake("export", "pg1", "--to", "sql", "--output", str(out))
    assert not begun.exists() and modes(out)["cluster.sql"] == 0o600
    database.asleep()


@pytest.mark.makes
def test_a_dump_with_all_its_roles_becomes_an_instance_of_a_newer_version(
    instance: Make, known: Know, tmp_path: Path
) -> None:
    fill(instance("--port", "25501", version="17"))
    sockwake("export", "pg1", "--to", "sql", "--output", str(tmp_path / "sql"))
    newer = known("newer")
    new_from(tmp_path / "sql", "newer", "--port", "25502", "--version", "18")
    has_all(newer)
    assert newer.psql("SHOW server_version").startswith("18.")


@pytest.mark.soak
@pytest.mark.makes
def test_a_dump_with_all_its_roles_becomes_an_instance_of_every_runtime(
    instance: Make, known: Know, tmp_path: Path
) -> None:
    database = instance("--port", "25501", version="17")
    fill(database)
    sockwake("export", "pg1", "--to", "sql", "--output", str(tmp_path / "sql"))
    packed = tmp_path / "all.sql.gz"
    packed.write_bytes(gzip.compress(database.tool("pg_dumpall", "--clean").encode()))
    one = tmp_path / "one.dump"
    one.write_text("")
    database.tool("pg_dump", "--format=custom", f"--file={one}")
    plain = known("crun")
    new_from(tmp_path / "sql", "crun", "--port", "25502")
    assert plain.setting("VERSION") == "17" and plain.password != database.password
    has_all(plain)
    newer = known("newer")
    new_from(packed, "newer", "--port", "25503", "--version", "18", "--runtime", "engine")
    has_all(newer)
    single = known("single")
    said = new_from(one, "single", "--port", "25504", "--db-name", "shop=1").err
    assert "has no roles: all in it belongs to postgres now" in said
    assert single.psql("select count(*) from t") == "1000"
    if SERVER.exists():
        hosted = known("hosted")
        new_from(packed, "hosted", "--port", "25505", "--runtime", "host", "--version", VERSION)
        has_all(hosted)
        must("systemctl", "disable", "--now", hosted.socket)
        sockwake("sleep", "hosted", "--force")
        sockwake("export", "hosted", "--to", "sql", "--output", str(tmp_path / "hosted"))
        assert "row 999" in (tmp_path / "hosted/cluster.sql").read_text()
    database.asleep()
    made = json.loads(sockwake("backup", "pg1", "--dump", "--json").out)
    kept = known("kept")
    new_from(made[0]["path"], "kept", "--port", "25506")
    has_all(kept)
    shutil.rmtree("/var/backups/sockwake/pg1")
    for each in (database, plain, newer, single, kept):
        each.asleep()


@pytest.mark.makes
@pytest.mark.fault
def test_a_dump_that_is_not_loaded_to_its_end_leaves_nothing(
    known: Know, machine: None, tmp_path: Path
) -> None:
    dump = tmp_path / "all.sql"
    head = "create table t (x int);\ninsert into t values (1);\n"
    dump.write_text(f"{head}select pg_sleep(300);\n")
    database = known("pg1")
    argv = ("sockwake-new", "pg1", "--from", str(dump), "--version", "18")
    process = start(*argv)
    unit = "sockwake-programs-pg1-load.service"
    until("its server runs", lambda: database.state(unit) == "active", 60)
    until("it loads", lambda: run("pgrep", "-f", "^postgres: postgres postgres .*SELECT").out, 30)
    process.kill()
    process.wait()
    assert database.state(unit) == "active", "which the next one has to end"
    assert not database.etc.exists() and "unfinished" in sockwake("ls").out
    dump.write_text(f"{head}select nonsense;\n")
    said = run(*argv, timeout=180).expect(FAILED).err
    assert "could not be loaded, and nothing was kept of it" in said and "nonsense" in said
    assert database.state(unit) == "inactive" and not Path("/var/lib/sockwake/pg1").exists()
    # pg_dump | gzip, of a pg_dump that failed in between
    packed = tmp_path / "cut.sql.gz"
    packed.write_bytes(gzip.compress(f"--\n-- PostgreSQL database dump\n--\n{head}".encode()))
    said = run(*argv[:3], str(packed), *argv[4:], timeout=180).expect(FAILED).err
    assert "is cut, and nothing was kept of it" in said
    assert database.state(unit) == "inactive" and not Path("/var/lib/sockwake/pg1").exists()
    dump.write_text(head)
    run(*argv, "--idle", "1s", "--enable", timeout=180).expect(0)
    assert database.psql("select x from t") == "1"
    database.asleep()


@pytest.mark.makes
def test_a_base_backup_of_either_format_becomes_an_instance(
    instance: Make, known: Know, tmp_path: Path
) -> None:
    database = instance("--port", "25501", version="17")
    fill(database)
    secret = str(database.etc / "password")
    where = ("-h", "127.0.0.1", "-p", "25501", "-U", "postgres")
    plain, tars = tmp_path / "plain", tmp_path / "tars"
    for form in (("-D", str(plain), "-R"), ("-D", str(tars), "-Ft", "-z")):
        must("pg_basebackup", "-c", "fast", *where, *form, env=database.environment, timeout=120)
    assert (plain / "standby.signal").exists()
    before = sorted(str(path) for path in plain.rglob("*"))
    one, two = known("one"), known("two")
    said = new_from(plain, "one", "--port", "25502", "--password-file", secret).err
    assert "settings of where it was are left out: primary_conninfo" in said
    new_from(tars, "two", "--port", "25503", "--password-file", secret)
    for each in (one, two):
        has_all(each)
        each.psql("insert into t values (0, 'no standby')")
        each.asleep()
    assert sorted(str(path) for path in plain.rglob("*")) == before
    shutil.rmtree(tars)
    refused = new_from(plain, "three", "--version", "18", status=USAGE).err
    assert "is a cluster of PostgreSQL 17, not 18" in refused
    os.truncate(max(plain.glob("base/*/*"), key=lambda path: path.stat().st_size), 8192)
    assert "is not whole: base/" in new_from(plain, "four", status=FAILED).err
    assert not Path("/etc/sockwake/four").exists() and not Path("/var/lib/sockwake/four").exists()
    database.asleep()
