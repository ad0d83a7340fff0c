"""What is settled before a first wake, and what is noted behind it."""

import os
import threading
from pathlib import Path

import pytest

from sockwake.config.instance import Instance
from sockwake.config.settings import Settings, load
from sockwake.errors import SockwakeError
from sockwake.lifecycle import first_wake
from sockwake.postgres import password
from sockwake.system import files, systemctl
from tree import Tree


@pytest.fixture
def pg1(tree: Tree) -> Instance:
    tree.new("pg1")
    return tree.instance("pg1")


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths that are in memory."""
    paths: list[str] = []
    monkeypatch.setattr(first_wake, "is_in_memory", lambda path: path in paths)
    return paths


def was_made(instance: Instance) -> Settings:
    settings = load(instance)
    os.makedirs(settings.cluster)
    Path(settings.cluster, "PG_VERSION").write_text("18\n")
    first_wake.end_of_making(instance, settings)
    return settings


def lose(settings: Settings) -> None:
    os.unlink(f"{settings.cluster}/PG_VERSION")


def test_data_that_were_in_memory_are_made_anew_and_others_never(
    pg1: Instance, memory: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    settings = load(pg1)
    memory.append(settings.data)
    was_made(pg1)
    assert not first_wake.is_possible(pg1, settings)
    lose(settings)
    assert first_wake.is_possible(pg1, settings)
    first_wake.settle(pg1, settings)
    assert os.path.exists(pg1.uninitialised_file)
    assert "which is in memory: the next boot begins anew" in capfd.readouterr().out
    memory.clear()  # from now on they are on a disk, and it is not mounted
    Path(settings.cluster, "PG_VERSION").write_text("18\n")
    first_wake.end_of_making(pg1, settings)
    lose(settings)
    for memory[:] in ([], [settings.data]):
        first_wake.settle(pg1, settings)
        assert not os.path.exists(pg1.uninitialised_file)


def test_a_cluster_in_memory_that_lacks_its_proof_is_not_made_anew(
    pg1: Instance, memory: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = was_made(pg1)
    memory.append(settings.data)
    Path(settings.cluster, "postgresql.conf").write_text("")
    lose(settings)
    for line in ("quiet", "systemd.volatile=state"):
        monkeypatch.setattr(files, "text_of", lambda path, line=line: line)
        files.replace(pg1.in_memory_file, 0o644, "its data are gone with the next boot\n")
        assert not os.path.exists(pg1.uninitialised_file)
        first_wake.settle(pg1, settings)
        assert not os.path.exists(pg1.uninitialised_file)


def test_a_boot_without_state_makes_what_was_on_a_disk_anew_in_memory(
    pg1: Instance, memory: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = was_made(pg1)
    lose(settings)
    memory.append(settings.data)
    lines = {"quiet systemd.volatile=no": False, "systemd.volatile=state quiet": True}
    for line, is_made in lines.items():
        monkeypatch.setattr(files, "text_of", lambda path, line=line: line)
        first_wake.settle(pg1, settings)
        assert os.path.exists(pg1.uninitialised_file) == is_made


def test_what_is_read_only_is_an_error_where_nothing_keeps_its_changes(
    pg1: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    monkeypatch.setattr(systemctl, "is_running", lambda: False)
    with pytest.raises(SockwakeError, match="cannot be written to"):
        first_wake.settle(pg1, load(pg1))


def test_where_etc_is_in_memory_the_password_is_with_the_data_and_found_there(
    pg1: Instance, memory: list[str]
) -> None:
    memory.append(pg1.etc)
    settings = load(pg1)
    made = password.make(pg1)
    was_made(pg1)
    os.unlink(pg1.password_file)
    password.find_again(pg1, settings.data)
    assert password.read_password(pg1) == made != ""


def test_of_two_passwords_that_are_made_at_once_one_counts(pg1: Instance) -> None:
    told: list[str] = []
    begin = threading.Barrier(8)

    def make() -> None:
        begin.wait()
        told.append(password.make(pg1))

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(told) == 8 and len(set(told)) == 1
    assert not [name for name in os.listdir(pg1.etc) if name.startswith("password.")]


def test_file_systems_in_memory_are_known() -> None:
    assert first_wake.is_in_memory("/dev/shm/not/there")
    assert not first_wake.is_in_memory("/proc")
