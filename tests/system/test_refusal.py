"""When it cannot start, the client reads why, the port stays open, and after the repair the next client is served."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from socket import create_connection

import pytest

from client import Refused
from conftest import Make
from database import Database
from moment import until
from program import must, run

pytestmark = pytest.mark.fault

ASLEEP_OR_FAILED = ("inactive", "failed")


def told(database: Database, reason: str) -> None:
    """A client reads the reason; so does the administrator; the port is open and nothing runs."""
    said = database.fatal()
    assert said.startswith('sockwake: instance "pg1" cannot start: '), said
    assert reason in said
    assert said.endswith("(journalctl -u pg-postgres@pg1)")
    assert reason in database.journal(f"--unit={database.backend}")
    database.asleep(backend=ASLEEP_OR_FAILED)


@contextmanager
def without_image(image: str) -> Iterator[None]:
    """The engine forgets the image meanwhile."""
    must("docker", "tag", image, "kept:1")
    try:
        must("docker", "rmi", image)
        yield
    finally:
        run("docker", "tag", "kept:1", image)
        must("docker", "rmi", "kept:1")


def test_image_pruned_the_very_words(instance: Make) -> None:
    database = instance()
    must("docker", "rm", database.container)
    with without_image("postgres:18"):
        assert database.fatal() == ('sockwake: instance "pg1" cannot start: image postgres:18 is not on this machine '
                                    "(journalctl -u pg-postgres@pg1)")
        told(database, "image postgres:18 is not on this machine")
    assert database.psql() == "1"
    database.asleep()


def test_container_pruned_is_made_again(instance: Make) -> None:
    database = instance()
    database.psql("create table kept as select 1 as n")
    database.asleep()
    must("docker", "container", "prune", "--force")
    assert run("docker", "inspect", database.container).status != 0
    assert database.psql("select n from kept") == "1"


def test_setting_the_server_does_not_know(instance: Make) -> None:
    database = instance()
    database.add_guc("nosuch=1")
    told(database, 'FATAL:  unrecognized configuration parameter "nosuch"')
    database.edit_compose("      - -c\n      - nosuch=1\n", "")
    assert database.psql() == "1"


def test_engine_stopped(instance: Make) -> None:
    database = instance()
    try:
        must("systemctl", "stop", "docker.socket", "docker.service")
        said = database.fatal()
        assert "the container engine does not answer at /run/docker.sock" in said
    finally:
        must("systemctl", "start", "docker.socket", "docker.service")
    assert database.is_listening()
    assert database.psql() == "1"


def test_strangers_let_in_by_pg_hba(instance: Make) -> None:
    database = instance()
    hba = database.cluster / "pg_hba.conf"
    kept = hba.read_text()
    hba.write_text(f"local all all trust\n{kept}")
    told(database, "its server lets strangers in without a password")
    hba.write_text(kept)
    assert database.psql() == "1"


def test_data_directory_gone_is_not_made_anew(instance: Make) -> None:
    database = instance()
    database.psql("create table kept as select 1 as n")
    database.asleep()
    elsewhere = database.data.with_name("elsewhere")
    database.data.rename(elsewhere)
    try:
        told(database, f"cannot use data directory {database.data}: no such file or directory")
        assert not database.data.exists()
        database.data.mkdir()  # as a mount point is without its disk
        told(database, f"there is no database cluster in {database.cluster}")
        assert not database.cluster.exists()
    finally:
        run("rmdir", str(database.data))
        elsewhere.rename(database.data)
    assert database.psql("select n from kept") == "1"


def test_two_instances_on_one_data_directory(instance: Make) -> None:
    first, second = instance(name="pg2"), instance("--no-provision", name="pg1")
    with first.connect() as client:
        (second.etc / "instance.env").write_text((second.etc / "instance.env").read_text() + f"DATA={first.data}\n")
        (second.etc / "uninitialised").unlink()
        said = second.fatal()
        assert f"another instance is using {first.data}" in said
        assert client.value("select 1") == "1"
    first.asleep()
    second.password = first.password
    assert second.psql() == "1"
    second.asleep()
    assert "not properly shut down" not in first.journal() + second.journal()
    (second.etc / "instance.env").write_text((second.etc / "instance.env").read_text().replace("DATA=", "#DATA="))


def test_disk_full_under_the_data(instance: Make, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    must("mount", "-t", "tmpfs", "-o", "size=300m", "disk", str(disk))
    try:
        database = instance("--data", str(disk))
        run("dd", "if=/dev/zero", f"of={disk}/ballast", "bs=1M")
        told(database, "No space left on device")
        (disk / "ballast").unlink()
        assert database.psql() == "1"
        database.asleep()
        must("systemctl", "stop", database.socket)
        must("sockwake", "rm", "pg1", "--purge")
        assert list(disk.iterdir()) == []
    finally:
        run("systemctl", "stop", "pg-proxy@pg1.socket", "pg-proxy@pg1.service", "pg-postgres@pg1.service")
        run("docker", "rm", "--force", "sockwake-pg1")
        must("umount", str(disk))


def test_compose_file_nobody_can_read(instance: Make) -> None:
    database = instance()
    whole = (database.etc / "compose.yaml").read_text()
    (database.etc / "compose.yaml").write_text(whole + "\tnot: [yaml\n")
    told(database, "/etc/sockwake/pg1/compose.yaml: ")
    (database.etc / "compose.yaml").write_text(whole)
    assert database.psql() == "1"


def test_instance_env_with_a_wrong_line_is_told_with_file_and_line_and_hurts_nobody_else(instance: Make) -> None:
    database, other = instance(name="pg1"), instance(name="pg2")
    path = database.etc / "instance.env"
    whole = path.read_text()
    path.write_text(f"this is no setting\n{whole}")
    must("systemctl", "daemon-reload")
    told(database, "/etc/sockwake/pg1/instance.env:1: 'this is no setting' is not KEY=value")
    assert other.psql() == "1"
    path.write_text(f"{whole}WEIGHT=3\n")
    told(database, f"/etc/sockwake/pg1/instance.env:{whole.count(chr(10)) + 1}: unknown key 'WEIGHT'")
    path.write_text(whole)
    assert database.psql() == "1"


def test_instance_env_that_is_garbage_keeps_neither_others_nor_a_reload_from_working(instance: Make) -> None:
    database, other = instance(name="pg1"), instance(name="pg2")
    path = database.etc / "instance.env"
    whole = path.read_bytes()
    for garbage in (b"", b"\0\xff\xfe" * 1000, b"PORT=25432\nPORT=25433\nLISTEN=$(reboot)\n", b"PORT=99999999\nLISTEN=127.0.0.1\n"):
        path.write_bytes(garbage)
        must("systemctl", "daemon-reload")
        assert other.psql() == "1"
        must("sockwake", "ls")
    path.write_bytes(whole)
    must("systemctl", "daemon-reload")
    must("systemctl", "restart", database.socket)
    assert database.psql() == "1"


def test_a_crowd_is_told_to_the_last(instance: Make) -> None:
    database = instance("--no-provision")
    (database.etc / "uninitialised").unlink()

    def ask(_: int) -> str:
        try:
            database.connect().close()
        except Refused as refusal:
            return refusal.message
        return "was let in"

    with ThreadPoolExecutor(40) as pool:
        answers = set(pool.map(ask, range(40)))
    assert answers == {f'sockwake: instance "pg1" cannot start: cannot use data directory {database.data}: no such file or directory '
                       "(journalctl -u pg-postgres@pg1)"}
    database.asleep(backend=ASLEEP_OR_FAILED)


def test_never_ready_is_told_when_the_time_is_up(instance: Make) -> None:
    database = instance()
    (database.etc / "instance.env").write_text((database.etc / "instance.env").read_text() + "START_TIMEOUT=2s\n")
    database.edit_compose("    command:\n", '    entrypoint: ["sh", "-c", "exec sleep 600"]\n    command:\n')
    told(database, "did not answer within 2 s")
    assert must("docker", "ps", "--quiet") == ""


def test_refusing_program_killed(instance: Make) -> None:
    database = instance("--no-provision")
    (database.etc / "uninitialised").unlink()
    with closing(create_connection(("127.0.0.1", database.port), 30)) as silent:
        until("the refusing program runs", lambda: "refuse" in " ".join(database.processes()))
        database.kill(database.proxy)
        silent.settimeout(30)
    (database.etc / "uninitialised").write_text("")
    until("the proxy has ended", lambda: database.state(database.proxy) != "active")
    began = time.monotonic()
    assert database.psql() == "1"
    assert time.monotonic() - began < 30
    assert database.is_listening()
