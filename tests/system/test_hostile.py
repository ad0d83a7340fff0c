"""A user who is not root reads no password and no data, and finds no way around the port."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from instances import Make
from program import must, run
from soak import only_in_soak

USER = "nobody"
MOST_EXPOSED = {"": 1.0, "--tls": 1.5}  # systemd's scale, from 0 to 10


@contextmanager
def watched() -> Iterator[set[bytes]]:
    """Everything that shows up in /proc and in Docker's records of containers meanwhile."""
    seen: set[bytes] = set()
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            for pattern in ("[0-9]*/cmdline", "[0-9]*/comm"):
                seen.update(filter(None, map(_content, Path("/proc").glob(pattern))))
            records = Path("/var/lib/docker/containers").glob("*/config.v2.json")
            seen.update(filter(None, map(_content, records)))

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield seen
    finally:
        done.set()
        watcher.join()


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


@pytest.mark.makes
def test_password_shows_up_nowhere(instance: Make) -> None:
    with watched() as seen:
        database = instance()
        client = database.at_work()
    password = database.password.encode()
    try:
        assert any(b"sockwake-pg1_init" in content for content in seen), (
            "the watch has seen nothing"
        )
        assert not [content for content in seen if password in content]
        bundle = Path("/var/lib/sockwake/bundles/pg1")
        made = [file.read_text() for file in bundle.rglob("*") if file.is_file()]
        assert made and not [text for text in made if database.password in text]
        inside = [entry.split()[0] for entry in database.processes()]
        environments = [_content(Path(f"/proc/{pid}/environ")) for pid in inside]
        assert any(b"PGDATA=" in content for content in environments), "the search has seen nothing"
        assert not [content for content in environments if password in content]
        database.journal()
        assert database.password not in must("journalctl", "--boot", "--no-pager", "--output=cat")
        grep = "grep --recursive --devices=skip --no-messages --files-with-matches --fixed-strings"
        where = ("--file=/dev/stdin", "/etc", "/run", "/tmp", "/var")
        found = run(*grep.split(), *where, user=USER, stdin=database.password)
        assert found.out == ""
    finally:
        client.close()


def test_neither_password_nor_data_nor_backend_can_be_reached(instance: Make) -> None:
    database = instance()
    backend = database.run / "backend/.s.PGSQL.5432"
    with database.at_work():
        assert backend.is_socket()
        for path in (
            database.etc / "password",
            database.cluster / "PG_VERSION",
            database.cluster / "pg_hba.conf",
        ):
            assert path.is_file()
            run("cat", str(path), user=USER).expect(1, "ermission denied")
        run("ls", str(database.run), user=USER).expect(2, "ermission denied")
        psql = ("psql", "-h", str(backend.parent), "-U", "postgres", "-c", "select 1")
        denied = run(*psql, user=USER, env=database.environment)
        denied.expect(2, "ermission denied")
        run("docker", "ps", user=USER).expect(1, "ermission denied")
    database.asleep()
    run("touch", str(backend), user=USER).expect(1, "ermission denied")
    run("touch", f"{database.etc}/x", user=USER).expect(1, "ermission denied")


@pytest.mark.parametrize("kind", ["--tls", *only_in_soak("")])
def test_only_the_front_port_is_open_on_the_host(instance: Make, kind: str) -> None:
    before = must("ss", "-Hltn")
    database = instance(*filter(None, [kind]))
    with database.at_work():
        opened = set(_local(must("ss", "-Hltn"))) - set(_local(before))
    assert opened == {f"127.0.0.1:{database.port}"}


def _local(listed: str) -> list[str]:
    return [line.split()[3] for line in listed.splitlines()]


@pytest.mark.parametrize("kind", MOST_EXPOSED)
def test_the_proxy_is_unprivileged_in_a_tight_sandbox(instance: Make, kind: str) -> None:
    database = instance(*filter(None, [kind]))
    with database.at_work():
        status = Path(f"/proc/{database.main_pid(database.proxy)}/status").read_text()
        assert not re.search(r"^Uid:\s+0\s", status, re.MULTILINE)
        assert re.search(r"^CapEff:\s+0+$", status, re.MULTILINE)
        assert re.search(r"^CapBnd:\s+0+$", status, re.MULTILINE)
        assert database.exposure(database.proxy) <= MOST_EXPOSED[kind]


def test_container_has_no_network(instance: Make) -> None:
    database = instance()
    with database.at_work():
        devices = must(
            "nsenter", f"--target={database.server_pid()}", "--net", "ip", "-brief", "link"
        )
    assert [line.split()[0] for line in devices.splitlines()] == ["lo"]
