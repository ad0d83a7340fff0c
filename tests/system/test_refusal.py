"""A database that cannot start: the client reads why, and after the repair it is served."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from socket import create_connection

import pytest

from client import Refused
from instances import Make
from moment import until
from program import must, run
from refusal import ASLEEP_OR_FAILED, told

pytestmark = [pytest.mark.fault, pytest.mark.engine]


@contextmanager
def without_image(image: str) -> Iterator[None]:
    """Remove the image from the engine meanwhile."""
    must("docker", "tag", image, "kept:1")
    try:
        must("docker", "rmi", image)
        yield
    finally:
        run("docker", "tag", "kept:1", image)
        must("docker", "rmi", "kept:1")


def test_image_pruned_is_reported_in_these_words(instance: Make) -> None:
    database = instance()
    must("docker", "rm", database.container)
    with without_image("postgres:18"):
        assert database.fatal() == (
            'sockwake: instance "pg1" cannot start: image postgres:18 is not on this machine '
            "(journalctl -u pg-postgres@pg1)"
        )
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


def test_everything_pruned_while_it_sleeps(instance: Make, tmp_path: Path) -> None:
    """With an image of its own, made from one that the other tests need."""
    must("docker", "create", "--name=layer", "--network=none", "postgres:18")
    changes = ("LABEL prunable=yes", 'ENTRYPOINT ["entrypoint"]', 'CMD ["postgres"]')
    options = [f"--change={change}" for change in changes]
    must("docker", "commit", *options, "layer", "prunable:18")
    must("docker", "rm", "--volumes", "layer")
    must("docker", "save", "--output", str(tmp_path / "image.tar"), "prunable:18")
    try:
        database = instance("--image", "prunable:18")
        database.psql("create table kept as select 1 as n")
        database.asleep()
        must(
            "docker", "system", "prune", "--all", "--volumes", "--force", "--filter=label=prunable"
        )
        assert (
            run("docker", "inspect", database.container).status
            == run("docker", "image", "inspect", "prunable:18").status
            == 1
        )
        told(database, "image prunable:18 is not on this machine")
        must("docker", "load", "--input", str(tmp_path / "image.tar"))
        assert database.psql("select n from kept") == "1"
        database.asleep()
        must("docker", "rm", database.container)
    finally:
        run("docker", "rmi", "--force", "prunable:18")


def test_setting_the_server_does_not_know(instance: Make) -> None:
    database = instance()
    database.add_guc("nosuch=1")
    told(
        database,
        "its container ended with status 1",
        'FATAL:  unrecognized configuration parameter "nosuch"',
    )
    copying = run("sockwake", "copy", "pg1", "pg2", timeout=120)
    copying.expect(1, "instance 'pg2' cannot start: its container", 'parameter "nosuch"')
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


def test_every_client_of_a_crowd_is_told(instance: Make) -> None:
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
    assert answers == {
        f'sockwake: instance "pg1" cannot start: cannot use data directory {database.data}: '
        "no such file or directory (journalctl -u pg-postgres@pg1)"
    }
    database.asleep(backend=ASLEEP_OR_FAILED)


def test_clients_are_told_when_the_server_does_not_answer_in_time(instance: Make) -> None:
    database = instance()
    (database.etc / "instance.env").write_text(
        (database.etc / "instance.env").read_text() + "START_TIMEOUT=2s\n"
    )
    database.edit_compose(
        "    command:\n", '    entrypoint: ["sh", "-c", "exec sleep 600"]\n    command:\n'
    )
    told(database, "did not answer within 2 s")
    assert must("docker", "ps", "--quiet") == ""


@pytest.mark.soak
def test_a_server_that_listens_elsewhere_by_its_own_settings_is_told_with_them(
    instance: Make,
) -> None:
    database = instance("--start-timeout", "2s")
    for setting in ("port = 6000", "unix_socket_directories = '/tmp'"):
        database.psql(f"alter system set {setting}")
        database.put_to_sleep()
        told(database, "within 2 s, as by its own settings it listens elsewhere")
        woken = run("sockwake", "wake", "pg1").expect(1)
        assert f"(hint: {setting} is in a file in {database.cluster}" in woken.err, woken
        (database.cluster / "postgresql.auto.conf").write_text("")


def test_refusing_program_killed(instance: Make) -> None:
    database = instance("--no-provision")
    (database.etc / "uninitialised").unlink()
    with closing(create_connection(("127.0.0.1", database.port), 30)) as silent:
        silent.sendall(b"\0\0\0\x20half a startup packet")
        until("the refusing program runs", lambda: "refuse" in " ".join(database.processes()))
        database.kill(database.proxy)
        silent.settimeout(30)
    (database.etc / "uninitialised").write_text("")
    until("the proxy has ended", lambda: database.state(database.proxy) != "active")
    began = time.monotonic()
    assert database.psql() == "1"
    assert time.monotonic() - began < 30
    assert database.is_listening()
