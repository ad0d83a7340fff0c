"""Broken files or data: the client reads what is wrong, and after the repair it is served."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from cluster_servers import servers
from instances import Make
from moment import until
from program import must, run
from recovery import asleep_with_a_row
from refusal import told

pytestmark = [pytest.mark.fault, pytest.mark.engine]


def test_pg_hba_that_trusts_every_client(instance: Make) -> None:
    database = instance()
    hba = database.cluster / "pg_hba.conf"
    kept = hba.read_text()
    hba.write_text(f"local all all trust\n{kept}")
    told(database, "its server lets strangers in without a password")
    hba.write_text(kept)
    assert database.psql() == "1"


def test_data_directory_gone_is_not_made_anew(instance: Make) -> None:
    database = asleep_with_a_row(instance)
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
    with first.at_work() as client:
        (second.etc / "instance.env").write_text(
            (second.etc / "instance.env").read_text() + f"DATA={first.data}\n"
        )
        (second.etc / "uninitialised").unlink()
        said = second.fatal()
        assert f"another instance is using {first.data}" in said
        assert client.value("select 1") == "1"
    first.asleep()
    second.password = first.password
    assert second.psql() == "1"
    second.asleep()
    assert "not properly shut down" not in first.journal() + second.journal()
    (second.etc / "instance.env").write_text(
        (second.etc / "instance.env").read_text().replace("DATA=", "#DATA=")
    )


def test_a_server_whose_watcher_was_killed_keeps_its_data_until_it_has_ended(
    instance: Make,
) -> None:
    """With the watcher its lock of the data has gone. SIGSTOP stands in for a slow disk."""
    first = instance("--runtime", "engine", name="pg2")
    second = instance("--runtime", "engine", "--no-provision", name="pg1")
    with (second.etc / "instance.env").open("a") as file:
        file.write(f"DATA={first.data}\n")
    (second.etc / "uninitialised").unlink()
    second.password = first.password
    assert second.psql("create table kept as select 1 as n") == "SELECT 1"
    second.put_to_sleep()
    first.psql("insert into kept values (2)")
    (slow,) = servers(first.cluster, "checkpointer")
    os.kill(slow, signal.SIGSTOP)
    try:
        first.kill(first.backend)
        assert "another server is using" in second.fatal()
        assert len(servers(first.cluster)) == 1
    finally:
        os.kill(slow, signal.SIGCONT)
    until("the first has ended", lambda: not servers(first.cluster))
    assert second.psql("select sum(n) from kept") == "3"
    second.put_to_sleep()
    assert "not properly shut down" not in first.journal() + second.journal()
    second.edit("instance.env", "DATA=", "#DATA=")


def test_disk_full_under_the_data(instance: Make, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    must("mount", "-t", "tmpfs", "-o", "size=300m,mode=755", "disk", str(disk))
    try:
        database = instance("--data", str(disk))
        run("dd", "if=/dev/zero", f"of={disk}/ballast", "bs=1M")
        told(database, "", "No space left on device")
        (disk / "ballast").unlink()
        assert database.psql() == "1"
        database.asleep()
        must("systemctl", "stop", database.socket)
        must("sockwake", "rm", "pg1", "--purge")
        assert list(disk.iterdir()) == []
    finally:
        run(
            "systemctl",
            "stop",
            "pg-proxy@pg1.socket",
            "pg-proxy@pg1.service",
            "pg-postgres@pg1.service",
        )
        run("docker", "rm", "--force", "sockwake-pg1")
        must("umount", str(disk))


def test_compose_file_that_cannot_be_read(instance: Make) -> None:
    database = instance()
    whole = (database.etc / "compose.yaml").read_text()
    (database.etc / "compose.yaml").write_text(whole + "\tnot: [yaml\n")
    told(
        database,
        "/etc/sockwake/pg1/compose.yaml: docker-compose failed with status ",
        ": yaml: line ",
    )
    (database.etc / "compose.yaml").write_text(whole)
    assert database.psql() == "1"


def test_a_wrong_line_of_instance_env_is_reported_and_affects_no_other_instance(
    instance: Make,
) -> None:
    database, other = instance(name="pg1"), instance(name="pg2")
    path = database.etc / "instance.env"
    whole = path.read_text()
    path.write_text(f"this is no setting\n{whole}")
    must("systemctl", "daemon-reload")
    told(database, "/etc/sockwake/pg1/instance.env:1 is not KEY=value", "this is no setting")
    assert other.psql() == "1"
    path.write_text(f"{whole}WEIGHT=3\n")
    told(
        database, f"/etc/sockwake/pg1/instance.env:{whole.count(chr(10)) + 1}: unknown key 'WEIGHT'"
    )
    path.write_text(whole)
    assert database.psql() == "1"


def test_garbage_in_instance_env_affects_neither_other_instances_nor_a_reload(
    instance: Make,
) -> None:
    database, other = instance(name="pg1"), instance(name="pg2")
    path = database.etc / "instance.env"
    whole = path.read_bytes()
    for garbage in (
        b"",
        b"\0\xff\xfe" * 1000,
        b"PORT=25432\nPORT=25433\nLISTEN=$(reboot)\n",
        b"PORT=99999999\nLISTEN=127.0.0.1\n",
    ):
        path.write_bytes(garbage)
        must("systemctl", "daemon-reload")
        assert other.psql() == "1"
        must("sockwake", "ls")
    path.write_bytes(whole)
    must("systemctl", "daemon-reload")
    must("systemctl", "restart", database.socket)
    assert database.psql() == "1"
