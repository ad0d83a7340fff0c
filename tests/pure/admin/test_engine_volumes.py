"""An engine that does not run has not lost its volumes: nothing is done as if there were none."""

import os
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from daemon import Daemon
from engine_lists import OURS, answers, thing
from env_file import CONTAINER, GOOD, PROJECT, text_of
from sockwake.admin.backup import contents, making, restoring
from sockwake.admin.change import asleep, rm
from sockwake.config import scope
from sockwake.config.instance import Instance, Name
from sockwake.config.settings import load
from sockwake.engine import resources
from sockwake.errors import SockwakeError
from sockwake.lifecycle import backups, still
from sockwake.system import systemctl
from tree import SOURCE

NAME = Name("pg1")
QUIET = making.Wish(quiet=True)
ENGINE = {"ENGINE": "podman"}
SILENT = "nothing tells what volumes 'pg1' has: the container engine does not answer at "


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directories of a user, whose engine's socket can be anywhere."""
    monkeypatch.setenv("SOCKWAKE_SCOPE", "user")
    for name in ("CONFIG_HOME", "DATA_HOME", "STATE_HOME", "RUNTIME_DIR"):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(f"XDG_{name}", str(tmp_path / name))
    units = tmp_path / "CONFIG_HOME/systemd/user"
    units.mkdir(parents=True)
    shutil.copy(SOURCE / "systemd/user/pg-proxy@.socket", units)  # as if the package were installed
    volume = tmp_path / "volume"
    volume.mkdir()
    (volume / "rows").write_text("42")
    return tmp_path


def write(lines: dict[str, str]) -> Instance:
    instance = Instance(NAME)
    Path(instance.etc).mkdir(parents=True)
    Path(instance.env_file).write_text(text_of(lines | ENGINE))
    return instance


@contextmanager
def engine(own: Path, *, has: tuple[str, ...] = ("pg1_rows",)) -> Iterator[None]:
    """Have the engine run, with a container of these volumes."""
    path = own / "RUNTIME_DIR/podman/podman.sock"
    path.parent.mkdir(exist_ok=True)
    with Daemon(str(path)) as daemon:
        mounts = [{"Type": "volume", "Name": name} for name in has]
        volumes = [thing(name, OURS, Mountpoint=str(own / "volume")) for name in has]
        answers(daemon, [thing("sockwake-pg1", OURS, Mounts=mounts)], volumes=volumes)
        threading.Thread(target=daemon.serve_forever, args=(0.01,), daemon=True).start()
        yield
        daemon.shutdown()
    path.unlink()


def stop_and_leave_the_socket(own: Path) -> None:
    """As systemctl stop podman.socket does it."""
    path = own / "RUNTIME_DIR/podman/podman.sock"
    path.parent.mkdir(exist_ok=True)
    with socket.socket(socket.AF_UNIX) as podman:
        podman.bind(str(path))
    assert path.exists()


def kept(instance: Instance) -> list[str]:
    """The volumes in each backup that there is."""
    return [",".join(sorted(os.listdir(each.volumes))) for each in backups.of(instance)]


@pytest.mark.parametrize("lines", [PROJECT, CONTAINER, PROJECT | {"DATA": "/data"}])
def test_no_backup_leaves_out_the_volumes_of_an_engine_that_does_not_run(
    own: Path, lines: dict[str, str]
) -> None:
    if "DATA" in lines:
        (own / "data").mkdir()
        (own / "data/compose.yaml").write_text("services: {}\n")
        lines = lines | {"DATA": str(own / "data"), "KEEP_BACKUPS": "1"}
    instance = write(lines)
    with engine(own):
        making.make(NAME, QUIET)
    assert kept(instance) == ["pg1_rows"]
    with pytest.raises(SockwakeError) as caught:
        making.make(NAME, QUIET)
    assert caught.value.message.startswith(SILENT) and caught.value.hint
    assert not isinstance(caught.value, contents.NothingToBackUpError), "which --all forgives"
    failure = backups.failure(instance)
    assert failure and failure.why.startswith(SILENT)
    assert kept(instance) == ["pg1_rows"]


@pytest.mark.parametrize("is_left", [False, True])
def test_a_database_whose_engine_does_not_run_is_backed_up(
    own: Path, monkeypatch: pytest.MonkeyPatch, is_left: bool
) -> None:
    instance = write(GOOD | {"DATA": str(own / "data")})
    place = own / "data/18/docker"
    place.mkdir(parents=True)
    (place / "PG_VERSION").write_text("18\n")
    if is_left:
        stop_and_leave_the_socket(own)
    settings = load(instance)
    assert contents.find(instance, settings).volumes == {}
    monkeypatch.setattr(systemctl, "is_running", lambda: True)
    monkeypatch.setattr(systemctl, "active_state", lambda _: "inactive")
    still.require_asleep(instance, settings)
    resources.remove_containers(instance, settings)


def test_a_volume_that_was_backed_up_and_is_gone_is_told(own: Path) -> None:
    instance = write(CONTAINER)
    with engine(own, has=("pg1_rows", "pg1_cache")):
        making.make(NAME, QUIET)
    with engine(own), pytest.raises(SockwakeError) as caught:
        making.make(NAME, QUIET)
    (backup,) = backups.of(instance)
    assert caught.value.message == (
        f"instance 'pg1' has no volume pg1_cache, and its backup of {backup.stamp} has files of it"
    )
    place = caught.value.hint.partition("move ")[2].partition(" away")[0]
    assert place == backups.directory(instance)
    shutil.move(place, f"{place}.then")
    with engine(own):
        making.make(NAME, QUIET)
    assert kept(instance) == ["pg1_rows"], "it is meant to be gone"


def test_data_that_are_no_longer_said_to_be_its_own_are_told(own: Path) -> None:
    (own / "data").mkdir()
    (own / "data/file").write_text("x")
    instance = write(CONTAINER | {"DATA": str(own / "data")})
    with engine(own):
        making.make(NAME, QUIET)
        Path(instance.env_file).write_text(text_of(CONTAINER | ENGINE))
        with pytest.raises(SockwakeError, match="has no data directory, and its backup of "):
            making.make(NAME, QUIET)


def test_a_restore_asks_the_engine_for_the_places_of_volumes(own: Path) -> None:
    instance = write(PROJECT)
    with engine(own):
        making.make(NAME, QUIET)
    (own / "volume/rows").write_text("43")
    with pytest.raises(SockwakeError) as caught:
        restoring.restore(NAME, "", quiet=True)
    assert caught.value.message.startswith(SILENT)
    assert not os.path.exists(f"{instance.etc}/restored")
    with engine(own):
        restoring.restore(NAME, "", quiet=True)
    assert (own / "volume/rows").read_text() == "42"


def test_volumes_of_an_engine_do_not_become_those_of_crun(own: Path) -> None:
    instance = write(CONTAINER)
    with engine(own):
        making.make(NAME, QUIET)
    Path(instance.env_file).write_text(text_of(CONTAINER | ENGINE | {"RUNTIME": "crun"}))
    own_ones = Path(scope.data(), "bundles/pg1.volumes/cache")
    own_ones.mkdir(parents=True)
    with pytest.raises(SockwakeError, match="has volumes of an engine's, and "):
        restoring.restore(NAME, "", quiet=True)
    assert own_ones.is_dir()


@pytest.mark.parametrize("what", ["renamed", "copied"])
def test_what_an_engine_may_keep_that_does_not_run_is_not_left_behind(own: Path, what: str) -> None:
    instance = write(CONTAINER)
    settings = load(instance)
    with pytest.raises(SockwakeError) as caught:
        asleep.require_movable(instance, settings, what)
    assert caught.value.message.startswith(SILENT)
    with engine(own), pytest.raises(SockwakeError, match=f"in pg1_rows, which cannot be {what}"):
        asleep.require_movable(instance, settings, what)
    with engine(own, has=()):
        asleep.require_movable(instance, settings, what)


@pytest.mark.parametrize("is_left", [False, True])
def test_a_removal_does_not_hide_what_an_engine_keeps_that_does_not_run(
    own: Path, is_left: bool
) -> None:
    instance = write(CONTAINER)
    with pytest.raises(SockwakeError) as caught:
        rm.remove(NAME, purge=True)
    assert caught.value.message.startswith(SILENT)
    assert caught.value.hint.endswith("; or leave out --purge, which leaves them")
    assert os.path.exists(instance.env_file), "nothing was changed"
    if is_left:
        stop_and_leave_the_socket(own)
    said = rm.remove(NAME, purge=False)
    assert any(each.startswith("left what podman may have of it, as it does not") for each in said)
    assert not os.path.exists(instance.etc)
