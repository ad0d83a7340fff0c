"""What a passing unit runs: which paths a program sees, and what of the host it does."""

import json
from pathlib import Path
from typing import Any

import pytest

from sockwake.config.instance import Instance, Name
from sockwake.errors import SockwakeError
from sockwake.lifecycle.passing import OnHost, Place, Run
from sockwake.lifecycle.passing_image import InImage
from sockwake.oci import seccomp
from sockwake.oci.store import Image
from tree import Tree

BINARIES = "usr/lib/postgresql/{}/bin"


def image(path: Path, major: int, programs: tuple[str, ...]) -> Image:
    """An image with some of PostgreSQL's programs, whose user is number 999."""
    folder = path / "rootfs" / BINARIES.format(major)
    folder.mkdir(parents=True)
    for each in programs:
        (folder / each).touch(0o755)
    (path / "rootfs/etc").mkdir()
    (path / "rootfs/etc/passwd").write_text("root:x:0:0::/root:/bin/sh\npg:x:999:999::/:/bin/sh")
    return Image(f"sha256:{major:064}", str(path), {})


@pytest.fixture
def instance(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> Instance:
    monkeypatch.setattr(seccomp, "profile", lambda granted: {"granted": [*granted]})
    made = Instance(Name("pg1"), str(tree.path))
    Path(made.run, "programs/test").mkdir(parents=True)
    return made


def test_a_program_of_an_image_sees_its_places_alone(instance: Instance, tmp_path: Path) -> None:
    found = image(tmp_path / "17", 17, ("pg_checksums",))
    passing = InImage(instance, "test", found, 17)
    program = passing.program("pg_checksums")
    assert program == f"/{BINARIES.format(17)}/pg_checksums"
    with pytest.raises(SockwakeError, match="has no pg_upgrade in it"):
        passing.program("pg_upgrade")
    data = Place("/srv/data", below="17/docker", prefix="--pgdata=", is_writable=False)
    assert passing.seen(data) == "/run/sockwake/srv/data/17/docker"
    assert passing.seen(Place("/srv/more", at="/more")) == "/more"
    spec = made(passing, Run([program, data], (999, 999)))
    assert (spec["process"]["user"]["uid"], spec["root"]["readonly"]) == (999, True)
    assert spec["process"]["capabilities"]["bounding"] == []
    assert {"type": "network"} in spec["linux"]["namespaces"]
    binds = {each["destination"]: each for each in spec["mounts"] if each["type"] == "bind"}
    assert binds["/run/sockwake/srv/data"]["source"] == "/srv/data"
    assert "ro" in binds["/run/sockwake/srv/data"]["options"]
    assert "/etc/passwd" not in binds


def test_a_user_that_the_image_does_not_know_is_one_there(
    instance: Instance, tmp_path: Path
) -> None:
    passing = InImage(instance, "test", image(tmp_path / "17", 17, ("initdb",)), 17)
    spec = made(passing, Run([passing.program("initdb")], (70, 71)))
    (bind,) = [each for each in spec["mounts"] if each["destination"] == "/etc/passwd"]
    assert Path(bind["source"]).read_text().splitlines()[-1] == "cluster:x:70:71::/tmp:/bin/sh"


def test_an_older_image_is_beside_it_with_the_same_places(
    instance: Instance, tmp_path: Path
) -> None:
    older = image(tmp_path / "17", 17, ("postgres",))
    passing = InImage(instance, "test", image(tmp_path / "18", 18, ("pg_upgrade",)), 18, older, 17)
    data = Place("/srv/data")
    spec = made(passing, Run([passing.program("pg_upgrade"), data], (70, 70)))
    places = [each["destination"] for each in spec["mounts"]]
    for each in ("", "/run", "/dev/null", "/dev/shm", "/run/sockwake/srv/data", "/etc/passwd"):
        assert InImage.OLDER + each in places, each
    assert spec["process"]["capabilities"]["ambient"] == ["CAP_SYS_CHROOT"]
    assert places.index(InImage.OLDER) < places.index(f"{InImage.OLDER}/run")


def test_a_program_of_the_host_is_in_a_sandbox(instance: Instance) -> None:
    passing = OnHost(instance, "test", 17)
    data = Place('/srv/da"ta', is_writable=False)
    properties, command = passing.unit_of(Run(["/bin/true", data], (5, 6)), ["/bin/true", "x"])
    assert command == ["/bin/true", "x"]
    for each in ("User=5", "Group=6", "PrivateNetwork=yes", "ProtectSystem=strict"):
        assert each in properties
    assert r'BindReadOnlyPaths="/srv/da\"ta":"/run/sockwake/srv/da\"ta"' in properties
    with pytest.raises(SockwakeError, match="of PostgreSQL 1 is not installed"):
        OnHost(instance, "test", 1).program("initdb")


def test_without_systemd_it_is_said(instance: Instance) -> None:
    with pytest.raises(SockwakeError, match="cannot be run for instance 'pg1'"):
        OnHost(instance, "test", 17).prepare()


def made(passing: InImage, run: Run) -> dict[str, Any]:
    """The container that runs it."""
    words = [passing.seen(each) if isinstance(each, Place) else each for each in run.words]
    _, command = passing.unit_of(run, words)
    place = command[command.index("--bundle") + 1]
    return dict(json.loads(Path(place, "config.json").read_text()))
