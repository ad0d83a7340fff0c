"""The queue of a unix socket that somebody else listens on is made longer, and nothing else of his is touched."""

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
    """A process that listens at tmp_path/socket, accepts nobody, and has other descriptors, too."""
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


def who_fit(path: Path) -> int:
    """How many of 100 clients find a place in the queue, asking as systemd-socket-proxyd does."""
    clients = [
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) for _ in range(100)
    ]
    try:
        return sum(client.connect_ex(str(path)) == 0 for client in clients)
    finally:
        for client in clients:
            client.close()


def test_everybody_finds_a_place_in_it(server: subprocess.Popen[str], tmp_path: Path) -> None:
    before = sorted(os.listdir("/proc/self/fd"))
    assert who_fit(tmp_path / "socket") < 10
    pidfd.lengthen(server.pid)
    assert who_fit(tmp_path / "socket") > 90
    assert sorted(os.listdir("/proc/self/fd")) == before


def test_one_that_has_ended_is_an_error_of_the_systems(tmp_path: Path) -> None:
    with subprocess.Popen(["true"]) as process:
        process.wait()
    with pytest.raises(OSError):
        pidfd.lengthen(process.pid)
