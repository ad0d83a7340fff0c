"""sockwake-new: what each option changes."""

from __future__ import annotations

import json
import os
import shutil
import stat
from pathlib import Path

import pytest

from client import Refused
from instances import Know, Make
from program import must, run

pytestmark = pytest.mark.makes


def test_db_user_and_db_name(instance: Make) -> None:
    database = instance("--db-user", "ann o-1", "--db-name", "shop")
    database.made.expect(0, "postgresql://ann%20o-1@127.0.0.1:25432/shop")
    columns = "current_user, current_database(), rolsuper"
    answer = database.psql(f"select {columns} from pg_roles where rolname = current_user")
    assert answer == "ann o-1|shop|t"


def test_set(instance: Make) -> None:
    database = instance(
        "--set", "work_mem=7MB", "--set", 'log_line_prefix=%m "$HOME" ${PORT} # \': '
    )
    assert database.psql("show work_mem") == "7MB"
    assert database.psql("show log_line_prefix") == '%m "$HOME" ${PORT} # \': '.strip()


@pytest.mark.soak
def test_session_idle_is_a_quarter_of_an_hour_or_what_was_asked_for(instance: Make) -> None:
    assert instance(name="pg1").psql("show idle_session_timeout") == "15min"
    assert instance("--session-idle", "0", name="pg2").psql("show idle_session_timeout") == "0"


def test_a_connection_pool_does_not_keep_it_awake_for_ever(instance: Make) -> None:
    database = instance("--session-idle", "1s")
    pool = [database.connect() for _ in range(5)]
    database.asleep()
    with pytest.raises(Refused, match="idle-session timeout"):
        pool[0].query("select 1")
    for client in pool:
        client.vanish()


@pytest.mark.soak
def test_version_17(instance: Make) -> None:
    database = instance(version="17")
    assert database.psql("show server_version_num").startswith("17")
    database.asleep()
    assert database.psql() == "1"
    assert (database.cluster / "PG_VERSION").read_text() == "17\n"


def test_listens_wherever_it_was_told_to_and_every_address_wakes_it(
    instance: Make, tmp_path: Path
) -> None:
    database = instance("--listen", "127.0.0.3", "--listen", "::1", "--listen", str(tmp_path))
    for host in ("127.0.0.3", "::1", str(tmp_path)):
        assert database.psql(host=host) == "1", host
        database.asleep()
    database.try_psql(host="127.0.0.1").expect(2, "refused")
    woken_by = [line.split()[3] for line in database.journal().splitlines() if "woken by" in line]
    assert (len(woken_by) == 3 and woken_by[0].startswith("127.0.0.3:")) or woken_by[0].startswith(
        "127.0.0.1:"
    )
    assert woken_by[1].startswith("[::1]:") and woken_by[2] == "a"


def test_enable_opens_the_port_now_and_after_a_boot(instance: Make) -> None:
    database = instance("--no-provision", enable=True)
    assert database.is_listening()
    assert must("systemctl", "is-enabled", database.socket) == "enabled\n"
    assert (Path("/etc/systemd/system/sockets.target.wants") / database.socket).is_symlink()


def test_no_provision_writes_files_and_nothing_else(instance: Make) -> None:
    database = instance("--no-provision", enable=False)
    assert sorted(entry.name for entry in database.etc.iterdir()) == [
        "compose.yaml",
        *(["engine-choice"] if shutil.which("podman") else []),
        "instance.env",
        "password",
        "uninitialised",
    ]
    assert must("docker", "ps", "--all", "--quiet") == ""
    assert not database.data.exists()


def test_root_writes_an_instance_that_its_first_boot_completes(known: Know, tmp_path: Path) -> None:
    database = known("pg1")
    reloaded = must("systemctl", "show", "--property=UnitsLoadTimestampMonotonic")
    must("sockwake-new", "pg1", "--version", "18", "--idle", "1s", "--root", str(tmp_path))
    assert must("systemctl", "show", "--property=UnitsLoadTimestampMonotonic") == reloaded
    baked = tmp_path / "etc/sockwake/pg1"
    assert sorted(entry.name for entry in baked.iterdir()) == [
        "compose.yaml",
        "instance.env",
        "uninitialised",
    ]
    assert not database.etc.exists() and must("docker", "ps", "--all", "--quiet") == ""
    must("sockwake", "ls", "--root", str(tmp_path))

    Path("/etc/sockwake").mkdir(exist_ok=True)
    must("cp", "-a", str(baked), "/etc/sockwake/")
    must("systemctl", "daemon-reload")
    database.open()
    run("psql", "-h127.0.0.1", "-p25432", "-Upostgres", "-w", "-c", "select 1").expect(
        2, "no password supplied"
    )
    assert stat.filemode((database.etc / "password").stat().st_mode) == "-rw-------"
    assert database.psql() == "1"


def test_root_enables_in_the_tree_alone(tmp_path: Path, image: str) -> None:
    units = tmp_path / "usr/lib/systemd/system"
    units.mkdir(parents=True)
    for unit in Path("/usr/lib/systemd/system").glob("*pg-*@.*"):
        (units / unit.name).write_text(unit.read_text())
    must("sockwake-new", "pg1", "--version", "18", "--root", str(tmp_path), "--enable")
    assert (tmp_path / "etc/systemd/system/sockets.target.wants/pg-proxy@pg1.socket").is_symlink()
    must("sockwake", "rm", "pg1", "--root", str(tmp_path))
    assert not (tmp_path / "etc/sockwake/pg1").exists()
    assert not os.path.lexists(
        tmp_path / "etc/systemd/system/sockets.target.wants/pg-proxy@pg1.socket"
    )


def test_dry_run_shows_every_file_and_command_and_changes_nothing(image: str) -> None:
    shown = must("sockwake-new", "pg1", "--version", "18", "--enable", "--dry-run")
    for text in (
        "# /etc/sockwake/pg1/instance.env (0644)",
        "# /etc/sockwake/pg1/compose.yaml (0644)",
        "# /etc/sockwake/pg1/password (0600)",
        "PORT=25432",
        "$ systemctl enable --now pg-proxy@pg1.socket",
        "$ docker-compose",
    ):
        assert text in shown
    assert not Path("/etc/sockwake/pg1").exists()


def test_json(instance: Make) -> None:
    database = instance("--json", "--idle", "90s")
    facts = json.loads(database.made.out)
    assert database.made.err == ""
    assert (facts["name"], facts["port"], facts["idle_seconds"], facts["adopted"]) == (
        "pg1",
        25432,
        90,
        False,
    )
    assert facts["dsn"] == "postgresql://postgres@127.0.0.1:25432/postgres"
    assert Path(facts["password_file"]).read_text().strip() == database.password
    assert database.password not in database.made.out


def test_quiet_says_nothing(instance: Make) -> None:
    made = instance("--quiet").made
    assert (made.out, made.err) == ("", "")
