"""TLS as psql sees it: verified by name and by address, renewed from the next wake on."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

import pytest

from database import Database
from instances import Make
from program import Ran, must, run
from refusal import told

SECURED = "select ssl, version from pg_stat_ssl where pid = pg_backend_pid()"


def verified(database: Database, host: str, root: Path) -> Ran:
    """A psql that believes only what this certificate says."""
    return database.try_psql(SECURED, "-d", f"sslmode=verify-full sslrootcert={root}", host=host)


def make_pair(folder: Path, names: str) -> tuple[Path, Path]:
    """A certificate for other names, and its key."""
    certificate, key = folder / "crt", folder / "key"
    request = "openssl req -x509 -newkey rsa:2048 -noenc -subj /CN=renewed".split()
    files = ("-keyout", str(key), "-out", str(certificate))
    must(*request, "-addext", f"subjectAltName={names}", *files)
    return certificate, key


def test_self_signed_is_verified_by_name_and_by_address(instance: Make) -> None:
    database = instance(
        "--tls", "--listen", "127.0.0.1", "--listen", "127.0.0.9", "--listen", "::1"
    )
    assert database.psql(SECURED, "-d", "sslmode=require").startswith("t|TLSv1.")
    database.asleep()
    for host in ("127.0.0.1", "127.0.0.9", "::1", "localhost"):
        assert (
            verified(database, host, database.etc / "server.crt")
            .expect(0)
            .out.startswith("t|TLSv1.3")
        )
    others = Path("/etc/ssl/certs/ca-certificates.crt")
    verified(database, "127.0.0.1", others).expect(2, "certificate verify failed")
    assert database.psql("show listen_addresses") == "127.0.0.1"
    database.asleep()
    assert str(database.run) not in Path("/proc/mounts").read_text()


def test_an_administrator_s_certificate_is_verified_and_under_no_other_name(
    instance: Make, tmp_path: Path
) -> None:
    certificate, key = make_pair(tmp_path, "IP:127.0.0.1")
    database = instance("--tls-cert", str(certificate), "--tls-key", str(key))
    assert verified(database, "127.0.0.1", certificate).expect(0).out.startswith("t|")
    verified(database, "localhost", certificate).expect(2, 'does not match host name "localhost"')


@pytest.mark.fault
def test_a_renewed_certificate_is_used_from_the_next_wake_on(
    instance: Make, tmp_path: Path
) -> None:
    database = instance("--tls")
    before = tmp_path / "before"
    shutil.copy(database.etc / "server.crt", before)
    certificate, key = make_pair(tmp_path, "DNS:localhost")
    shutil.copyfile(certificate, database.etc / "server.crt")
    told(database, "its container ended with status 1", "")
    assert "check of private key failed" in database.journal()  # which is still the old one's
    shutil.copyfile(key, database.etc / "server.key")
    assert verified(database, "localhost", certificate).expect(0).out.startswith("t|")
    verified(database, "localhost", before).expect(2, "certificate verify failed")
    assert (database.cluster / "server.key").stat().st_mode & 0o777 == 0o600


def test_a_scan_of_the_port_leaves_nothing(instance: Make) -> None:
    """The proxy starts in a network namespace, which must be there until it has ended."""
    database = instance("--tls")
    assert database.psql() == "1"
    database.asleep()
    for _ in range(3):
        run("systemctl", "start", database.proxy)
        database.asleep()
        assert str(database.run) not in Path("/proc/mounts").read_text()
    assert database.property(database.proxy, "NRestarts") == "0"
    assert database.psql() == "1"


def test_its_end_and_its_begin_leave_no_port_dead_while_it_is_kept_awake(instance: Make) -> None:
    """The next proxy is started in another network, which only a wake makes."""
    database = instance("--tls", "--check-every", "1s", idle="10min")
    must("sockwake", "keep", "pg1", "--for", "10min")
    with closing(database.at_work()) as client:
        run("sockwake", "set", "pg1", "TLS=no").expect(4, "1 connected client", "--force")
        assert client.value("select 1") == "1"
    must("sockwake", "set", "pg1", "TLS=no")
    assert database.psql("select 1", "-d", "sslmode=disable") == "1"
    database.set("TLS", "yes")
    must("systemctl", "daemon-reload")
    must("systemctl", "stop", database.proxy)
    assert database.psql(SECURED, "-d", "sslmode=require").startswith("t|TLSv1.")
    must("sockwake", "release", "pg1", "--all")
    database.put_to_sleep()


@pytest.mark.soak
def test_a_server_that_has_none_is_told_so_and_not_that_it_was_slow(instance: Make) -> None:
    """TLS=yes alone does not have it listen there."""
    database = instance()
    must("sockwake", "set", "pg1", "TLS=yes")
    failed = run("sockwake", "wake", "pg1").expect(1, "did not answer on TCP port 5432")
    assert f"listen_addresses=127.0.0.1 and ssl=on in {database.etc}/compose.yaml" in failed.err
    assert " s " not in failed.err and "--start-timeout" not in failed.err
    must("sockwake", "set", "pg1", "TLS=no")
    assert database.psql("select 1") == "1"
