"""The first wakes of machines that are made from one image, and boots that begin without /var."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

import image_store
from baked import STATE, UPPER, Image
from database import IMAGE, Database
from host_postgres import SERVER, version_for
from instances import Know
from program import Ran, must, run
from soak import only_in_soak

pytestmark = pytest.mark.fault

CREDENTIAL = "sockwake.pg1.password"
PLAIN, ENCRYPTED = Path("/run/credstore"), Path("/etc/credstore.encrypted")
DISK, UNIT = Path("/srv/disk-of-the-test"), "srv-disk\\x2dof\\x2dthe\\x2dtest.mount"


@pytest.fixture
def pg1(known: Know) -> Database:
    """The instance that the tests bake."""
    return known("pg1")


@pytest.fixture
def baked(pg1: Database) -> Iterator[Image]:
    """An image with the files of instances in it, booted by this machine.

    What is mounted over the files of the instance goes before it.
    """
    image_store.take(f"docker-daemon:{IMAGE}")
    one = Image()
    yield one
    one.remove()


@pytest.fixture(autouse=True)
def credentials() -> Iterator[None]:
    """What a test has given the machine goes with it."""
    yield
    for place in (PLAIN, ENCRYPTED):
        (place / CREDENTIAL).unlink(missing_ok=True)


@pytest.fixture
def disk() -> Iterator[Path]:
    """A directory for which systemd has a mount unit."""
    real, unit = Path(f"{DISK}.real"), Path("/run/systemd/system") / UNIT
    real.mkdir()
    unit.write_text(f"[Mount]\nWhat={real}\nWhere={DISK}\nType=none\nOptions=bind\n")
    must("systemctl", "daemon-reload")
    yield real
    must("systemctl", "stop", UNIT)
    unit.unlink()
    must("systemctl", "daemon-reload")
    must("rm", "-rf", str(real), str(DISK))


def dsn(*arguments: str) -> str:
    return must("sockwake", "dsn", "pg1", *arguments).strip()


def stranger() -> Ran:
    """A client that knows no password, and wakes it."""
    return run("psql", dsn(), "-c", "select 1", env={"PGPASSWORD": "a guess"})


def told(pg1: Database) -> str:
    return run("sockwake", "status", pg1.name).expect(0).out


@pytest.mark.soak
def test_below_read_only_files_and_without_state_each_boot_begins_anew(
    baked: Image, pg1: Database
) -> None:
    """The image of PostgreSQL is in /usr, and /etc cannot be written to."""
    baked.bake("pg1", "--version", "18", "--tls")
    passwords = set()
    for boot in (1, 2):
        baked.boot(read_only=True, stateless=True)
        assert not (pg1.etc / "password").exists(), "it was baked"
        assert "first wake  makes the database cluster" in told(pg1)
        assert "password authentication failed" in stranger().expect(2).err
        pg1.psql(f"create table kept as select {boot} as n")
        assert stat.S_IMODE((pg1.etc / "password").stat().st_mode) == 0o600
        passwords.add(pg1.password)
        assert "in memory: the next boot begins anew" in told(pg1)
        assert "which is in memory: the next boot begins anew" in pg1.journal()
        pg1.put_to_sleep()
        assert pg1.psql("select n from kept") == str(boot)
        assert not list((STATE / "images").glob("[0-9a-f]*")), "the image was copied"
        assert {path.name for path in (UPPER / "upper/pg1").iterdir()} > {"password", "server.key"}
    assert len(passwords) == 2, "two machines have one password"
    pg1.put_to_sleep()


@pytest.mark.soak
def test_data_in_memory_are_made_anew_although_etc_remembers_that_they_were(
    baked: Image, pg1: Database
) -> None:
    baked.bake("pg1", "--version", "18")
    baked.boot(stateless=True)
    before = dsn("--password")
    pg1.psql("create table kept()")
    assert before == dsn("--password"), "what was told before the first wake is another one"
    baked.boot(stateless=True)
    assert pg1.psql("select count(*) from pg_class where relname = 'kept'") == "0"
    baked.boot()  # of the disk that is not there in the other boots
    refused = pg1.try_psql().expect(2).err
    assert "cannot use data directory" in refused
    assert not list(STATE.glob("pg1")), "data were made in the place of others"


def test_a_disk_that_is_not_mounted_is_never_taken_for_an_empty_one(
    baked: Image, pg1: Database, disk: Path
) -> None:
    """Also where /etc begins anew with each boot, and so does not remember that there are data."""
    baked.bake("pg1", "--version", "18", "--data", f"{DISK}/pg1")
    baked.boot(etc=True)
    assert "is not mounted" in stranger().expect(2).err
    assert "is not mounted" in told(pg1) and not list(DISK.glob("*"))
    must("systemctl", "start", UNIT)
    assert "password authentication failed" in stranger().expect(2).err
    pg1.psql("create table kept as select 7 as n")
    password = pg1.password
    baked.boot(etc=True)
    must("systemctl", "stop", UNIT)
    assert "is not mounted" in stranger().expect(2).err
    assert not list(DISK.glob("*"))
    must("systemctl", "start", UNIT)
    must("sockwake", "wake", "pg1")
    assert pg1.password == password
    assert pg1.psql("select n from kept") == "7"
    pg1.put_to_sleep()


def give(password: str, *, encrypted: bool) -> Path:
    """Have the machine have the credential."""
    place = (ENCRYPTED if encrypted else PLAIN) / CREDENTIAL
    place.parent.mkdir(exist_ok=True)
    if encrypted:
        words = ("systemd-creds", "encrypt", "--with-key=host", f"--name={CREDENTIAL}", "-")
        must(*words, str(place), stdin=password)
    else:
        place.write_text(password)
    return place


@pytest.mark.parametrize("runtime", ["crun", *only_in_soak("host", "engine")])
def test_a_credential_of_the_machine_is_the_password_and_no_later_wake_pays_for_it(
    baked: Image, pg1: Database, runtime: str
) -> None:
    if runtime == "host" and not SERVER.exists():
        pytest.skip(f"{SERVER} is not on this machine")
    version = version_for(runtime)
    baked.bake("pg1", "--version", version, "--runtime", runtime)
    baked.boot()
    given = give("never\nsuch\n", encrypted=runtime != "engine")
    assert "is no password" in stranger().expect(2).err
    assert not (pg1.cluster / "PG_VERSION").exists() and "is no password" in told(pg1)
    given.unlink()
    given = give(f"it is {runtime}'s\n", encrypted=runtime != "engine")
    must("sockwake", "wake", "pg1")
    assert pg1.password == f"it is {runtime}'s"
    assert pg1.psql() == "1"
    given.unlink()
    give("another", encrypted=False)
    pg1.put_to_sleep()
    assert pg1.psql() == "1" and pg1.password == f"it is {runtime}'s"
    assert not Path(f"/run/credentials/{pg1.backend}").exists()
    assert f"it is {runtime}" not in must("journalctl", "--boot", "--output=verbose")
    (PLAIN / CREDENTIAL).unlink()
    pg1.put_to_sleep()


@pytest.mark.soak
@pytest.mark.parametrize("encrypted", [True, False])
def test_a_credential_that_differs_is_told_and_what_mends_it(
    baked: Image, pg1: Database, encrypted: bool
) -> None:
    baked.bake("pg1", "--version", "18")
    baked.boot()
    give("the first\n", encrypted=encrypted)
    must("sockwake", "wake", "pg1")
    assert pg1.psql() == "1" and credential_findings() == []
    give("the second\n", encrypted=encrypted)
    (finding,) = credential_findings()
    assert finding["finding"].endswith("has another password than its cluster")
    assert pg1.psql() == "1" and pg1.password == "the first"
    must("sh", "-c", finding["command"])
    assert pg1.psql() == "1" and pg1.password == "the second" and credential_findings() == []
    pg1.put_to_sleep()


def credential_findings() -> list[dict[str, str]]:
    found = json.loads(run("sockwake", "doctor", "pg1", "--json").out)
    return [each for each in found if each["check"] == "credential"]


def test_a_credential_that_cannot_be_decrypted_makes_nothing(baked: Image, pg1: Database) -> None:
    baked.bake("pg1", "--version", "18")
    baked.boot()
    given = give("secret", encrypted=True)
    given.write_text("of another machine")
    assert f"the credential {CREDENTIAL} cannot be read" in stranger().expect(2).err
    assert not (pg1.cluster / "PG_VERSION").exists() and not (pg1.etc / "password").exists()
    given.unlink()
    must("sockwake", "wake", "pg1")
    assert pg1.psql() == "1"
    pg1.put_to_sleep()


@pytest.mark.soak
def test_a_system_extension_brings_the_image(baked: Image, pg1: Database) -> None:
    """Merged over /usr by systemd-sysext, read-only, with the socket enabled in it."""
    baked.bake("pg1", "--version", "18")
    extension = Path("/run/extensions/shipped")
    release = extension / "usr/lib/extension-release.d/extension-release.shipped"
    release.parent.mkdir(parents=True)
    release.write_text("ID=_any\n")
    wanted = extension / "usr/lib/systemd/system/sockets.target.wants/pg-proxy@pg1.socket"
    wanted.parent.mkdir(parents=True)
    wanted.symlink_to("../pg-proxy@.socket")
    (extension / "usr/share/sockwake").mkdir(parents=True)
    must("cp", "-a", str(image_store.PLACE), str(extension / "usr/share/sockwake/images"))
    try:
        must("systemd-sysext", "merge")
        must("systemctl", "daemon-reload")
        assert "sockets.target" in pg1.property(pg1.socket, "WantedBy")
        baked.boot(stateless=True)
        assert "password authentication failed" in stranger().expect(2).err
        assert pg1.psql() == "1"
        assert not list((STATE / "images").glob("[0-9a-f]*")), "the image was copied"
        pg1.put_to_sleep()
    finally:
        baked.boot()
        must("systemd-sysext", "unmerge")
        must("rm", "-r", str(extension))
        must("systemctl", "daemon-reload")
