"""More clients than the refusing program has descriptors: those of a native unit are 1,024."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from test_refuse import STARTUP, connect, read_all

from error_response import fields_of
from tree import SOURCE

DESCRIPTORS = 20
CROWD = 60
ACTIVATE = (
    "import os, resource, sys; os.dup2(int(sys.argv[1]), 3); os.environ['LISTEN_FDS'] = '1'; "
    f"resource.setrlimit(resource.RLIMIT_NOFILE, ({DESCRIPTORS}, {DESCRIPTORS})); os.execv(sys.argv[2], sys.argv[2:])"
)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen(512)
        yield sock


def refuse(listener: socket.socket) -> "subprocess.Popen[bytes]":
    fd = listener.fileno()
    argv = [
        sys.executable,
        "-c",
        ACTIVATE,
        str(fd),
        sys.executable,
        "-IS",
        str(SOURCE / "bin/refuse"),
        "--because",
        "no paper",
    ]
    return subprocess.Popen(
        argv, pass_fds=(fd,), stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def seconds_of(process: "subprocess.Popen[bytes]") -> float:
    """Wait for its end; how long it has used the processor."""
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return used.ru_utime + used.ru_stime


def test_it_waits_for_a_place_and_answers_all(listener: socket.socket) -> None:
    silent = [connect(listener) for _ in range(DESCRIPTORS)]
    honest = [connect(listener, STARTUP) for _ in range(CROWD)]
    with refuse(listener) as process:
        time.sleep(2)
        for client in silent:
            client.close()
        assert [fields_of(read_all(client))["M"] for client in honest] == ["no paper"] * CROWD
        assert seconds_of(process) < 1, "it asks again and again"


def test_while_nobody_leaves_it_rests(listener: socket.socket) -> None:
    silent = [connect(listener) for _ in range(CROWD)]
    with refuse(listener) as process:
        assert seconds_of(process) < 1, "it asks again and again"
    for client in silent:
        client.close()
