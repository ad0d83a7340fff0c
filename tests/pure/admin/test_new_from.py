"""sockwake-new --from: what a dump or a base backup tells, and what cannot become an instance."""

import gzip
import json
import subprocess
import tarfile
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

from sockwake.admin.make import arrival, foreign_settings, origin_reading, start_from
from sockwake.admin.make.new_options import OPTIONS
from sockwake.admin.make.origin import BACKUP, CLUSTER, DATA, SQL, TAR, Origin
from sockwake.errors import EXISTS, USAGE, SockwakeError
from tree import SOCKWAKE, run

ALL = """--
-- PostgreSQL database cluster dump
--

\\restrict x
CREATE ROLE app;
ALTER ROLE app WITH LOGIN PASSWORD 'SCRAM-SHA-256$4096:app';
CREATE ROLE postgres;
ALTER ROLE postgres WITH SUPERUSER LOGIN PASSWORD 'SCRAM-SHA-256$4096:boss' VALID UNTIL 'infinity';
\\connect template1
-- Dumped from database version 17.6 (Debian 17.6-1)
CREATE DATABASE shop WITH TEMPLATE = template0;
\\connect shop
COPY t (x) FROM stdin;
CREATE ROLE postgres;
\\.
-- PostgreSQL database cluster dump complete
--
"""
ONE = """--
-- PostgreSQL database dump
--
-- Dumped from database version 16.2
CREATE TABLE t (x text);
-- PostgreSQL database dump complete
--
"""


def write(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def base(path: Path, version: str = "17") -> Path:
    path.mkdir()
    (path / "PG_VERSION").write_text(f"{version}\n")
    (path / "backup_label").write_text("START WAL LOCATION: 0/4000028\n")
    (path / "tablespace_map").write_text("")
    (path / "pg_tblspc").mkdir()
    (path / "postgresql.conf").write_text("")
    (path / "pg_hba.conf").write_text("local all all scram-sha-256\n")
    return path


def pack(folder: Path, *names: str) -> None:
    """What pg_basebackup --format=tar makes of a directory."""
    with tarfile.open(folder / "base.tar.gz", "w:gz") as archive:
        for name in names:
            archive.add(folder.parent / "base" / name, name)


def test_a_dump_tells_its_version_and_whether_it_has_its_roles(tmp_path: Path) -> None:
    every = origin_reading.read(write(tmp_path / "all.sql", ALL))
    assert (every.form, every.major, every.creates) == (SQL, 17, True)
    one = origin_reading.read(write(tmp_path / "one.sql", ONE))
    assert (one.form, one.major, one.creates) == (SQL, 16, False)
    by_hand = origin_reading.read(write(tmp_path / "hand.sql", "create table t (x int);\n"))
    assert (by_hand.form, by_hand.major, by_hand.creates) == (SQL, 0, False)
    packed = tmp_path / "all.sql.gz"
    packed.write_bytes(gzip.compress(ALL.encode()))
    found = origin_reading.read(str(packed))
    assert (found.major, found.packed, found.creates) == (17, "gzip", True)


def test_a_base_backup_is_read_in_both_formats(tmp_path: Path) -> None:
    folder = base(tmp_path / "base")
    found = origin_reading.read(str(folder))
    assert (found.form, found.major, found.is_files) == (CLUSTER, 17, True)
    (tmp_path / "tar").mkdir()
    pack(tmp_path / "tar", "backup_label", "PG_VERSION")
    found = origin_reading.read(str(tmp_path / "tar"))
    assert (found.form, found.major, found.is_files) == (TAR, 17, True)


def backup(path: Path, method: str, **facts: Any) -> Path:
    folder = path / f"2026-11-29T014000Z.{method}"
    (folder / "instance").mkdir(parents=True)
    env = "KIND=postgres\nVERSION=17.6\nIMAGE=vector:17\nDB_USER=app\nDB_NAME=shop\nPORT=25501\n"
    (folder / "instance/instance.env").write_text(env)
    (folder / "instance/password").write_text("secret\n")
    when = "2026-11-29T01:40:00Z"
    known = {"instance": "shop", "kind": "postgres", "started": when, "finished": when, "bytes": 1}
    (folder / "status").write_text(json.dumps(known | facts))
    return folder


def test_a_backup_of_sockwake_tells_what_its_instance_was(tmp_path: Path) -> None:
    whole = origin_reading.read(str(backup(tmp_path, "files")))
    assert (whole.form, whole.major, whole.password) == (DATA, 17, "secret")
    assert whole.defaults["IMAGE"] == "vector:17" and "PORT" not in whole.defaults
    names = [{"name": "shop", "file": "shop.dump"}]
    dump = origin_reading.read(str(backup(tmp_path, "dump", databases=names)))
    assert (dump.form, dump.creates, dump.databases) == (BACKUP, True, (("shop", "shop.dump"),))
    assert dump.password == "", "its cluster is a new one, with a password of its own"
    with pytest.raises(SockwakeError, match="of kind 'container', and no PostgreSQL"):
        origin_reading.read(str(backup(tmp_path, "basebackup", kind="container")))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda at: write(at, ""), "is no dump of a PostgreSQL"),
        (lambda at: write(at, "\0\1\2" * 100), "is no dump of a PostgreSQL"),
        (lambda at: at.write_bytes(gzip.compress(ALL.encode())[:60]), "cannot be unpacked"),
        (lambda at: at.mkdir(), "is neither a base backup nor a dump"),
        (lambda at: (at.mkdir(), write(at / "toc.dat", "x")), "in the directory format"),
        (lambda at: (at.mkdir(), write(at / "base.tar", "x")), "cannot be read"),
        (lambda at: (at.mkdir(), write(at / "pg_wal.tar", "x")), "has no base.tar"),
        (lambda at: (at.mkdir(), write(at / "16390.tar.gz", "x")), "has a tablespace, in 16390"),
        (lambda at: (base(at) / "postmaster.pid").write_text("1"), "a server is running on it"),
        (lambda at: (base(at) / "tablespace_map").write_text("1 /x\n"), "has tablespaces"),
        (
            lambda at: (base(at) / "backup_label").write_text("INCREMENTAL FROM LSN: 0/1\n"),
            "pg_combinebackup makes a full one",
        ),
        (lambda at: None, "there is no "),
    ],
)
def test_what_cannot_become_an_instance_is_one_sentence(
    make: Any, said: str, tmp_path: Path
) -> None:
    make(tmp_path / "x")
    with pytest.raises(SockwakeError) as caught:
        origin_reading.read(str(tmp_path / "x"))
    assert said in str(caught.value) and "\n(hint" in f"{caught.value}\n(hint"


def asked(path: str, **more: Any) -> Namespace:
    options: dict[str, Any] = {option.name: None for option in OPTIONS}
    return Namespace(**options | {"from": path} | more)


def test_what_is_not_given_is_as_it_was(tmp_path: Path) -> None:
    arguments = asked(str(backup(tmp_path, "files")), db_name="other")
    start_from.given(arguments)
    assert arguments.version == "17" and arguments.image == "vector:17"
    assert (arguments.db_user, arguments.db_name) == ("app", "other")
    arguments = asked(str(tmp_path / "2026-11-29T014000Z.files"), runtime="host")
    start_from.given(arguments)
    assert arguments.image is None, "which the host's server has none of"


@pytest.mark.parametrize(
    ("version", "text", "said"),
    [
        ("16", ALL, "is a dump of PostgreSQL 17, which 16 may not understand"),
        (None, "create table t (x int);\n", "does not say which version it is of"),
    ],
)
def test_a_version_that_does_not_fit_is_refused(
    version: str | None, text: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(SockwakeError, match=said) as caught:
        start_from.given(asked(write(tmp_path / "all.sql", text), version=version))
    assert caught.value.status == USAGE
    start_from.given(asked(str(tmp_path / "all.sql"), version="18"))
    folder = str(base(tmp_path / "base"))
    with pytest.raises(SockwakeError, match="is a cluster of PostgreSQL 17, not 18"):
        start_from.given(asked(folder, version="18"))


@pytest.mark.parametrize("flag", ["--root=/tmp", "--no-provision"])
def test_it_is_for_the_system_that_runs(flag: str, tmp_path: Path) -> None:
    path = write(tmp_path / "all.sql", ALL)
    ran = run(*SOCKWAKE, "new", "x", "--from", path, flag)
    assert ran.status == USAGE and "--from makes the data now" in ran.stderr, ran
    ran = run(*SOCKWAKE, "new", "x", "--kind", "container", "--from", path)
    assert ran.status == USAGE and "--from is not for an instance of kind 'container'" in ran.stderr
    ran = run(*SOCKWAKE, "new", "x", "--from", path, "--fix-hba", "--dry-run")
    assert ran.status == USAGE and "a dump has none" in ran.stderr, ran


def test_a_data_directory_has_to_be_empty(tmp_path: Path) -> None:
    arrival.require_empty(str(tmp_path / "none"))
    (tmp_path / "full").mkdir()
    arrival.require_empty(str(tmp_path / "full"))
    (tmp_path / "full/lost+found").mkdir()
    arrival.require_empty(str(tmp_path / "full"))
    write(tmp_path / "full/x", "")
    for name in ("full", "full/x"):
        with pytest.raises(SockwakeError, match="is not empty") as caught:
            arrival.require_empty(str(tmp_path / name))
        assert caught.value.status == EXISTS


class _Named:
    """Settings of which only the superuser is asked."""

    def __init__(self, db_user: str) -> None:
        self.db_user = db_user


def edited(text: str, user: str) -> str:
    settings: Any = _Named(user)
    nothing: Any = None
    loading = arrival.Loading(Origin("", SQL), settings, nothing)
    argv = ["sed", loading.edit()]
    return subprocess.run(argv, input=text, text=True, check=True, stdout=-1).stdout


def test_the_superuser_is_neither_made_anew_nor_given_another_password() -> None:
    text = edited(f"DROP DATABASE shop;\nDROP ROLE postgres;\n{ALL}", "postgres")
    head, _, rest = text.partition("\\connect ")
    assert "DROP" not in head and "CREATE ROLE postgres;" not in head and "boss" not in head
    assert "ALTER ROLE postgres WITH SUPERUSER LOGIN VALID UNTIL 'infinity';" in head
    assert "CREATE ROLE app;\nALTER ROLE app WITH LOGIN PASSWORD 'SCRAM-SHA-256$4096:app';" in head
    assert "\nCREATE ROLE postgres;\n\\." in rest, "a row may look like it"
    made = "DROP DATABASE template1;\nCREATE DATABASE template1 WITH TEMPLATE = template0;\n"
    clean = "DROP DATABASE IF EXISTS shop;\nDROP ROLE IF EXISTS postgres;\n"
    assert edited(f"{clean}{made}\\connect template1\n", "x") == f"{made}\\connect template1\n"
    odd = 'CREATE ROLE "o.d/d*";\nALTER ROLE "o.d/d*" WITH LOGIN PASSWORD \'x\';\n'
    assert edited(odd, "o.d/d*") == 'ALTER ROLE "o.d/d*" WITH LOGIN;\n'
    assert edited(odd, "oxd/d*") == odd
    assert edited(ALL, "app").count("ROLE postgres") == 3


def test_what_only_made_sense_where_it_was_is_left_out_of_the_copy(tmp_path: Path) -> None:
    folder = base(tmp_path / "base")
    conf = folder / "postgresql.conf"
    kept = "work_mem = 7MB\ninclude 'postgresql.base.conf'\n#port = 5432\nssl_ciphers = 'x'\n"
    conf.write_text(f"{kept}hba_file = '/etc/x'\n Port=5433\n")
    (folder / "postgresql.base.conf").write_text("archive_command 'cp %p /nowhere'\n")
    auto = folder / "postgresql.auto.conf"
    auto.write_text("synchronous_standby_names = '*'\n")
    auto.chmod(0o600)
    left = foreign_settings.leave_out(str(folder))
    assert left == ["archive_command", "hba_file", "port", "synchronous_standby_names"]
    mark = "# left out by sockwake-new --from: "
    assert conf.read_text() == f"{kept}{mark}hba_file = '/etc/x'\n{mark}Port=5433\n"
    assert auto.read_text().startswith(mark) and auto.stat().st_mode & 0o777 == 0o600
    assert foreign_settings.leave_out(str(folder)) == []
    assert (folder / "pg_hba.conf").read_text() == "local all all scram-sha-256\n"
