"""sockwake-new fails: one sentence with a hint, and nothing left behind.

That nothing is left is proven after each test, by check_clean.
"""

from __future__ import annotations

import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from instances import Know, Make
from moment import until
from program import Ran, must, run

pytestmark = [pytest.mark.makes, pytest.mark.usefixtures("image")]

FAILED, USAGE, EXISTS = 1, 2, 3


def refused(
    status: int, *texts: str, options: tuple[str, ...] = ("--version", "18"), name: str = "pg1"
) -> Ran:
    """A sockwake-new that fails: one sentence and perhaps a hint on stderr, nothing on stdout."""
    ran = run("sockwake-new", name, *options).expect(status, *texts)
    complaint = ran.err.splitlines()
    starts = [
        number for number, line in enumerate(complaint) if line.startswith("sockwake: error: ")
    ]
    assert len(starts) == 1 and complaint[starts[0] + 1 :] == [
        line for line in complaint if line.startswith("(hint: ")
    ], ran
    assert ran.out == "" and "Traceback" not in ran.err, ran
    return ran


@pytest.fixture
def no_engine() -> Iterator[None]:
    must("systemctl", "stop", "docker.socket", "docker.service")
    yield
    must("systemctl", "start", "docker.socket", "docker.service")


@pytest.mark.usefixtures("no_engine")
def test_no_engine() -> None:
    refused(
        FAILED,
        "the container engine does not answer at /run/docker.sock",
        "(hint: systemctl status docker.service)",
        options=("--version", "18", "--runtime", "engine"),
    )
    assert not Path("/etc/sockwake/pg1").exists() and not Path("/var/lib/sockwake/pg1").exists()


def test_image_that_is_nowhere() -> None:
    refused(
        FAILED,
        "image nosuch:18 is neither on this machine nor to be had",
        "(hint: is its name right? docker load brings one without a registry",
        options=("--version", "18", "--image", "nosuch:18"),
    )


def test_unknown_version() -> None:
    refused(
        FAILED,
        "image postgres:98 is neither on this machine nor to be had",
        options=("--version", "98"),
    )
    refused(USAGE, "version '9.6' is not a PostgreSQL version", options=("--version", "9.6"))
    refused(USAGE, "version 'new' is not a PostgreSQL version", options=("--version", "new"))
    refused(USAGE, "--version is missing", options=())


@pytest.fixture
def small_disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A small disk that is mounted with the options of the parameter."""
    disk = tmp_path / "disk"
    disk.mkdir()
    must("mount", "-t", "tmpfs", "-o", f"{request.param},mode=755", "disk", str(disk))
    yield disk
    must("umount", str(disk))


@pytest.mark.parametrize("small_disk", ["size=64m"], indirect=True)
def test_no_room_on_the_disk(small_disk: Path) -> None:
    refused(
        FAILED,
        f"only 64 MB are free under {small_disk}",
        options=("--version", "18", "--data", str(small_disk)),
    )
    assert list(small_disk.iterdir()) == []


@pytest.mark.parametrize("small_disk", ["size=400m,nr_inodes=300"], indirect=True)
def test_disk_that_fills_while_the_cluster_is_made(small_disk: Path) -> None:
    refused(
        FAILED,
        "its container ended with status 1",
        options=("--version", "18", "--data", str(small_disk)),
    )
    assert list(small_disk.iterdir()) == []


def test_port_taken_by_an_outside_program() -> None:
    with closing(_listener("127.0.0.1", 25440)):
        refused(
            EXISTS,
            "port 25440 cannot be bound: 127.0.0.1 says address already in use",
            "(hint: leave out --port to take the next free one)",
            options=("--version", "18", "--port", "25440"),
        )


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0", "::1"])
def test_next_free_port_is_past_one_that_an_outside_program_holds(
    instance: Make, address: str
) -> None:
    with closing(_listener(address, 25432)):
        assert instance("--no-provision", enable=False).port == 25433


def test_port_of_another_instance_though_asleep_or_off(instance: Make) -> None:
    instance("--no-provision", enable=False)
    refused(
        EXISTS,
        "port 25432 is already claimed by instance 'pg1'",
        name="pg2",
        options=("--version", "18", "--port", "25432"),
    )
    assert instance("--no-provision", enable=False, name="pg2").port == 25433


def test_port_of_a_cluster_of_the_host_though_it_does_not_run(instance: Make) -> None:
    config = Path("/etc/postgresql/17/claims/postgresql.conf")
    config.parent.mkdir(parents=True)
    try:
        config.write_text("listen_addresses = '*'\nport = 25432  # claimed\n")
        refused(
            EXISTS,
            "port 25432 is already claimed by the PostgreSQL cluster 17/claims",
            options=("--version", "18", "--port", "25432"),
        )
        assert instance("--no-provision", enable=False).port == 25433
    finally:
        must("rm", "-r", str(config.parent))


def test_name_taken(instance: Make) -> None:
    database = instance(enable=False)
    before = {path: path.read_bytes() for path in database.etc.iterdir()}
    refused(EXISTS, "instance 'pg1' exists already", "(hint: sockwake rm pg1 removes it)")
    assert {path: path.read_bytes() for path in database.etc.iterdir()} == before
    database.open()
    assert database.psql() == "1"


def test_data_directory_that_holds_something_else(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    refused(
        FAILED,
        f"data directory {tmp_path} is not empty and holds no cluster of PostgreSQL 18",
        options=("--version", "18", "--data", str(tmp_path)),
    )
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_setting_the_server_does_not_know() -> None:
    refused(
        FAILED,
        'unrecognized configuration parameter "nosuch"',
        options=("--version", "18", "--set", "nosuch=1"),
    )


def test_network_that_is_not_there() -> None:
    refused(FAILED, "nosuch", options=("--version", "18", "--network", "nosuch"))


def test_not_root() -> None:
    run("sockwake-new", "pg1", "--version", "18", user="nobody").expect(
        1, "ermission denied", "(hint: run this as root)"
    )


def test_socket_that_cannot_be_opened_undoes_everything(known: Know, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    known("pg1")
    path = f"{tmp_path}/file/.s.PGSQL.1"
    ran = run("sockwake-new", "pg1", "--version", "18", "--enable", "--listen", path)
    ran.expect(FAILED, "sockwake: error: ")
    assert not Path("/etc/sockwake/pg1").exists() and not Path("/var/lib/sockwake/pg1").exists()


def _listener(address: str, port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((address, port))
    sock.listen()
    return sock


@pytest.mark.makes
def test_a_lost_terminal_leaves_nothing(known: Know) -> None:
    """As when an ssh session is cut: the kernel sends SIGHUP."""
    known("pg1")
    maker = subprocess.Popen(
        ["script", "--quiet", "--command", "sockwake-new pg1 --version 18", "/dev/null"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    until(
        "initdb has begun", Path("/var/lib/sockwake/pg1/.initialising/18/docker/PG_VERSION").exists
    )
    maker.send_signal(signal.SIGKILL)
    maker.wait(60)
    until(
        "nothing is left",
        lambda: not Path("/etc/sockwake").exists() and not Path("/var/lib/sockwake/pg1").exists(),
    )
    assert run("docker", "inspect", "sockwake-pg1_init").status != 0
