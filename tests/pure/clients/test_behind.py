"""Which of its own sockets a proxy has made for a client, by the numbers of the kernel's."""

import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from sockwake.clients import behind
from sockwake.system import ss

needs_ss = pytest.mark.skipif(not shutil.which("ss"), reason="ss is not installed")
ATTEMPTS = 20  # another process may make a socket in between


def inode(sock: socket.socket) -> int:
    return os.fstat(sock.fileno()).st_ino


def forwarded(
    connect: Callable[[], socket.socket], between: int = 0
) -> tuple[socket.socket, list[socket.socket]]:
    """What a proxy does: accept, and make a socket to the server. between: sockets made there."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        client = socket.create_connection(listening.getsockname())
        made = [client]
        accepted, _ = listening.accept()
        made += [socket.socket(socket.AF_UNIX) for _ in range(between)]
        made += [connect(), accepted]
    return accepted, made


def told(connect: Callable[[], socket.socket], between: int = 0) -> tuple[str, int] | None:
    accepted, made = forwarded(connect, between)
    try:
        return behind.sessions([inode(accepted)], os.getpid()).get(inode(accepted))
    finally:
        for each in made:
            each.close()


def soon(connect: Callable[[], socket.socket]) -> tuple[str, int] | None:
    return next(filter(None, (told(connect) for _ in range(ATTEMPTS))), None)


@needs_ss
def test_a_session_on_a_unix_socket_is_known_by_its_process(tmp_path: Path) -> None:
    path = str(tmp_path / ".s.PGSQL.5432")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        sessions = []

        def connect() -> socket.socket:
            ours = socket.socket(socket.AF_UNIX)
            ours.connect(path)
            sessions.append(server.accept()[0])
            return ours

        if not ss.unix_ends():
            pytest.skip("this kernel tells nothing of unix sockets")
        assert soon(connect) == ("pid", os.getpid())
        for each in sessions:
            each.close()


def test_a_session_over_tcp_is_known_by_its_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        ports = []

        def connect() -> socket.socket:
            ours = socket.create_connection(server.getsockname())
            ports.append(ours.getsockname()[1])
            return ours

        assert soon(connect) == ("client_port", ports[-1])


@needs_ss
def test_what_does_not_follow_at_once_and_what_nobody_has_is_not_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def connect() -> socket.socket:
            return socket.create_connection(server.getsockname())

        assert told(connect, between=1) is None
    assert behind.sessions([1, 2], 0) == {}
    assert behind.sessions([1, 2], os.getpid()) == {}
    assert behind.sessions([1, 2], 2**22 + 1) == {}
