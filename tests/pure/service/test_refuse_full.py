"""More clients than the refusing program has descriptors: those of a native unit are 1,024."""

import os
import socket
import subprocess
import time

from error_response import fields_of
from refusal import STARTUP, connect, read_all, start

DESCRIPTORS = 20
CROWD = 60


def refuse(listener: socket.socket) -> "subprocess.Popen[str]":
    return start(listener, "--because", "no paper", descriptors=DESCRIPTORS)


def seconds_of(process: "subprocess.Popen[str]") -> float:
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


def test_while_no_client_leaves_it_rests(listener: socket.socket) -> None:
    silent = [connect(listener) for _ in range(CROWD)]
    with refuse(listener) as process:
        assert seconds_of(process) < 1, "it asks again and again"
    for client in silent:
        client.close()
