"""What a server says of itself in a file that another user can write."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sockwake.postgres import postmaster

PID_FILE = "1\n/data\n0\n5432\n/run\n\n0 0\n{}\n"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[int]:
    """A process in the directory of its data."""
    with subprocess.Popen(["sleep", "60"], cwd=tmp_path) as process:
        yield process.pid
        process.kill()


@pytest.mark.parametrize(("state", "is_settled"), [("ready   ", True), ("starting", False)])
def test_it_takes_queries_when_its_file_says_so(
    tmp_path: Path, server: int, state: str, is_settled: bool
) -> None:
    (tmp_path / "postmaster.pid").write_text(PID_FILE.format(state))
    assert postmaster.is_settled(server) == is_settled
    assert postmaster.has_taken_over(server) == is_settled


@pytest.mark.parametrize("kind", ["no file", "a pipe", "a link", "a device without end", "long"])
def test_what_is_no_such_file_says_nothing_and_holds_up_nobody(
    tmp_path: Path, server: int, kind: str
) -> None:
    place = tmp_path / "postmaster.pid"
    (tmp_path / "other").write_text(PID_FILE.format("ready"))
    if kind == "a pipe":
        os.mkfifo(place)
    elif kind == "a link":
        place.symlink_to(tmp_path / "other")
    elif kind == "a device without end":
        place.symlink_to("/dev/zero")
    elif kind == "long":
        place.write_text("1\n" + "x" * 100_000 + PID_FILE.format("ready"))
    assert not postmaster.is_settled(server)
    assert not postmaster.has_taken_over(server)


@pytest.mark.parametrize(
    ("port", "directory", "told"),
    [
        ("5432", "/run", ""),
        ("6000", "/run", "port = 6000"),
        ("5432", "/tmp", "unix_socket_directories = '/tmp'"),
        ("x", "", ""),
    ],
)
def test_where_a_server_listens_by_its_own_settings_is_told(
    tmp_path: Path, port: str, directory: str, told: str
) -> None:
    assert postmaster.elsewhere(str(tmp_path), "/run") == ""
    text = PID_FILE.replace("5432", port).replace("/run", directory).format("ready")
    (tmp_path / "postmaster.pid").write_text(text)
    assert postmaster.elsewhere(str(tmp_path), "/run", "/other") == told
    (tmp_path / "postmaster.pid").write_text("1\n")
    assert postmaster.elsewhere(str(tmp_path), "/run") == ""
