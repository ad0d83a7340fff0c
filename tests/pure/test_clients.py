"""Clients are counted from the kernel's tables, without touching a connection."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_settings import env, settings

from sockwake import clients
from sockwake.settings import Settings


@pytest.fixture(params=["127.0.0.1", "::1"])
def listener(request: pytest.FixtureRequest) -> Iterator[socket.socket]:
    address: str = request.param
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as sock:
        sock.bind((address, 0))
        sock.listen()
        yield sock


def has_client(read: Settings) -> bool:
    return any(visitor.is_client(read) for visitor in clients.queue(read))


def test_a_client_counts_from_its_connect_to_its_close(listener: socket.socket) -> None:
    read = settings(env(LISTEN=listener.getsockname()[0], PORT=str(listener.getsockname()[1])))
    assert clients.connected(read) == 0
    with socket.create_connection(listener.getsockname()[:2]):
        assert clients.connected(read) == 1
        with listener.accept()[0]:
            assert clients.connected(read) == 1
    assert clients.connected(read) == 0


def test_who_is_connected_is_named_served_already_or_not(listener: socket.socket) -> None:
    read = settings(env(LISTEN=listener.getsockname()[0], PORT=str(listener.getsockname()[1])))
    assert clients.connecting(read) == "a client that has left"
    with socket.create_connection(listener.getsockname()[:2]) as client:
        host, port = client.getsockname()[:2]
        assert clients.connecting(read) == (f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        with listener.accept()[0]:
            assert clients.connecting(read) == (f"[{host}]:{port}" if ":" in host else f"{host}:{port}")


def test_only_a_client_is_awaited(listener: socket.socket) -> None:
    read = settings(env(LISTEN=listener.getsockname()[0], PORT=str(listener.getsockname()[1])))
    assert clients.awaited(read) == "a client that has left"
    with socket.create_connection(listener.getsockname()[:2]) as client:
        assert clients.awaited(read) == "", "who says nothing is no client"
        client.sendall(b"SSLplz??")
        host, port = client.getsockname()[:2]
        assert clients.awaited(read) == (f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        with listener.accept()[0]:
            assert clients.awaited(read) == "a client that has left"


def test_a_client_of_a_unix_socket_counts_accepted_or_not(tmp_path: Path) -> None:
    path = str(tmp_path / ".s.PGSQL.1")
    read = settings(env(LISTEN=path, PORT="1"))
    with socket.socket(socket.AF_UNIX) as door, socket.socket(socket.AF_UNIX) as client:
        door.bind(path)
        door.listen()
        assert clients.connected(read) == 0
        client.connect(path)
        assert clients.connected(read) == 1
        with door.accept()[0]:
            assert clients.connected(read) == 1
        assert clients.connecting(read) == "a local client"


@pytest.mark.parametrize(("kind", "said", "hangs_up", "is_client"), [
    ("postgres", b"", False, False), ("postgres", b"7 bytes", False, False), ("postgres", b"8 bytes.", False, True),
    ("postgres", b"", True, False), ("postgres", b"GET / HTTP/1.0\r\n\r\n", True, False),
    ("container", b"", False, False), ("container", b"GET / HTTP/1.0\r\n", False, False), ("container", b"GET / HTTP/1.0\r\n\r\n", True, True),
    ("container", b"", True, False), ("command", b"", False, True), ("command", b"", True, False), ("command", b"x", True, True),
])
def test_who_is_a_client_is_told_by_what_he_said(
        listener: socket.socket, kind: str, said: bytes, hangs_up: bool, is_client: bool) -> None:
    read = settings(env(KIND=kind, LISTEN=listener.getsockname()[0], PORT=str(listener.getsockname()[1])))
    assert not has_client(read)
    with socket.create_connection(listener.getsockname()[:2]) as client:
        client.sendall(said)
        if hangs_up:
            client.shutdown(socket.SHUT_WR)
        assert has_client(read) == is_client
        with listener.accept()[0]:
            assert not has_client(read), "somebody has him"


def test_a_client_is_given_a_moment_for_his_first_words(listener: socket.socket) -> None:
    read = settings(env(LISTEN=listener.getsockname()[0], PORT=str(listener.getsockname()[1])))
    assert clients.awaited(read) == "a client that has left"
    with socket.create_connection(listener.getsockname()[:2]) as client:
        timer = threading.Timer(0.2, client.sendall, [b"SSLplz??"])
        timer.start()
        assert clients.awaited(read).endswith(f":{client.getsockname()[1]}")
        timer.join()


def test_of_one_who_hangs_up_or_keeps_silent_nothing_is_awaited(listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "SPEAKS_WITHIN", 0.2)
    read = settings(env(LISTEN=listener.getsockname()[0], PORT=str(listener.getsockname()[1])))
    with socket.create_connection(listener.getsockname()[:2]):
        assert clients.awaited(read) == ""
    assert clients.awaited(read) == ""


def test_each_client_is_told_from_the_others(listener: socket.socket, tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    host, port = listener.getsockname()[:2]
    read = settings(env(LISTEN=f"{host},{path}", PORT=str(port)))
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(path)
        door.listen()
        seen: list[set[str]] = [clients.each(read)]
        ends = []
        for _ in range(2):
            ends += [socket.create_connection((host, port)), listener.accept()[0]]
            seen.append(clients.each(read))
            local = socket.socket(socket.AF_UNIX)
            local.connect(path)
            ends += [local, door.accept()[0]]
            seen.append(clients.each(read))
        assert [len(each) for each in seen] == [0, 1, 2, 3, 4]
        for end in ends:
            end.close()


def test_what_a_client_does_not_take_is_owed_to_him(listener: socket.socket) -> None:
    read = settings(env(LISTEN=listener.getsockname()[0], PORT=str(listener.getsockname()[1])))
    with socket.create_connection(listener.getsockname()[:2]) as client, listener.accept()[0] as server:
        assert not clients.is_owed(read)
        server.setblocking(False)
        try:
            while True:
                server.send(bytes(1 << 20))
        except BlockingIOError:
            pass
        assert clients.is_owed(read)
        assert client.recv(1)
