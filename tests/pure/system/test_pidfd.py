"""A longer backlog for another process's unix socket, and no change to its other descriptors."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sockwake.system import pidfd

LISTEN = """import os, socket, sys
pipe = os.pipe()
pair = socket.socketpair()
port = socket.socket()
port.bind(("127.0.0.1", 0))
sock = socket.socket(socket.AF_UNIX)
sock.bind(sys.argv[1])
sock.listen(5)
print(flush=True)
sys.stdin.read()
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that listens at tmp_path/socket, never accepts, and has other descriptors, too."""
    argv = [sys.executable, "-c", LISTEN, str(tmp_path / "socket")]
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin and process.stdout
        assert process.stdout.readline() == "\n"
        try:
            yield process
        finally:
            process.stdin.close()


def accepted(path: Path) -> int:
    """How many of 100 clients find a place in the backlog, by connect() without waiting."""
    clients = [
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) for _ in range(100)
    ]
    try:
        return sum(client.connect_ex(str(path)) == 0 for client in clients)
    finally:
        for client in clients:
            client.close()


def test_a_hundred_clients_find_a_place_in_the_backlog(
    server: subprocess.Popen[str], tmp_path: Path
) -> None:
    before = sorted(os.listdir("/proc/self/fd"))
    assert accepted(tmp_path / "socket") < 10
    pidfd.lengthen(server.pid)
    assert accepted(tmp_path / "socket") > 90
    assert sorted(os.listdir("/proc/self/fd")) == before


def test_a_process_that_has_ended_is_an_oserror(tmp_path: Path) -> None:
    with subprocess.Popen(["true"]) as process:
        process.wait()
    with pytest.raises(OSError):
        pidfd.lengthen(process.pid)
