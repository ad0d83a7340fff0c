"""Clients are counted from the kernel's tables, without touching a connection."""

import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from env_file import env, settings
from sockwake.clients import connections
from sockwake.config.settings import Settings
from sockwake.system import procnet


@pytest.fixture(params=["127.0.0.1", "::1"])
def listener(request: pytest.FixtureRequest) -> Iterator[socket.socket]:
    address: str = request.param
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as sock:
        sock.bind((address, 0))
        sock.listen()
        yield sock


def has_client(read: Settings) -> bool:
    return any(each.is_client(read) for each in connections.queue(read))


def test_a_client_counts_from_its_connect_to_its_close(listener: socket.socket) -> None:
    read = settings(env(LISTEN=listener.getsockname()[0], PORT=str(listener.getsockname()[1])))
    assert connections.connected(read) == 0
    with socket.create_connection(listener.getsockname()[:2]):
        assert connections.connected(read) == 1
        with listener.accept()[0]:
            assert connections.connected(read) == 1
    assert connections.connected(read) == 0


def test_a_client_is_named_accepted_or_not(listener: socket.socket) -> None:
    read = settings(env(LISTEN=listener.getsockname()[0], PORT=str(listener.getsockname()[1])))
    assert connections.connecting(read) == "a client that has left"
    with socket.create_connection(listener.getsockname()[:2]) as client:
        host, port = client.getsockname()[:2]
        assert connections.connecting(read) == (
            f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        )
        with listener.accept()[0]:
            assert connections.connecting(read) == (
                f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            )


def test_only_a_client_is_awaited(listener: socket.socket) -> None:
    read = settings(env(LISTEN=listener.getsockname()[0], PORT=str(listener.getsockname()[1])))
    assert connections.awaited(read) == "a client that has left"
    with socket.create_connection(listener.getsockname()[:2]) as client:
        assert connections.awaited(read) == "", "a silent connection is no client"
        client.sendall(b"SSLplz??")
        host, port = client.getsockname()[:2]
        assert connections.awaited(read) == (
            f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        )
        with listener.accept()[0]:
            assert connections.awaited(read) == "a client that has left"


def test_a_client_of_a_unix_socket_counts_accepted_or_not(tmp_path: Path) -> None:
    path = str(tmp_path / ".s.PGSQL.1")
    read = settings(env(LISTEN=path, PORT="1"))
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(path)
        server.listen()
        assert connections.connected(read) == 0
        client.connect(path)
        assert connections.connected(read) == 1
        with server.accept()[0]:
            assert connections.connected(read) == 1
        assert connections.connecting(read) == "a local client"


@pytest.mark.parametrize(
    ("kind", "said", "hangs_up", "is_client"),
    [
        ("postgres", b"", False, False),
        ("postgres", b"7 bytes", False, False),
        ("postgres", b"8 bytes.", False, True),
        ("postgres", b"", True, False),
        ("postgres", b"GET / HTTP/1.0\r\n\r\n", True, False),
        ("container", b"", False, False),
        ("container", b"GET / HTTP/1.0\r\n", False, False),
        ("container", b"GET / HTTP/1.0\r\n\r\n", True, True),
        ("container", b"", True, False),
        ("command", b"", False, True),
        ("command", b"", True, False),
        ("command", b"x", True, True),
    ],
)
def test_a_client_is_known_by_how_much_it_has_sent(
    listener: socket.socket, kind: str, said: bytes, hangs_up: bool, is_client: bool
) -> None:
    read = settings(
        env(KIND=kind, LISTEN=listener.getsockname()[0], PORT=str(listener.getsockname()[1]))
    )
    assert not has_client(read)
    with socket.create_connection(listener.getsockname()[:2]) as client:
        client.sendall(said)
        if hangs_up:
            client.shutdown(socket.SHUT_WR)
        assert has_client(read) == is_client
        with listener.accept()[0]:
            assert not has_client(read), "it was accepted"


def test_a_client_is_given_a_moment_for_his_first_words(listener: socket.socket) -> None:
    read = settings(env(LISTEN=listener.getsockname()[0], PORT=str(listener.getsockname()[1])))
    assert connections.awaited(read) == "a client that has left"
    with socket.create_connection(listener.getsockname()[:2]) as client:
        timer = threading.Timer(0.2, client.sendall, [b"SSLplz??"])
        timer.start()
        assert connections.awaited(read).endswith(f":{client.getsockname()[1]}")
        timer.join()


def test_a_connection_that_closes_or_stays_silent_is_not_waited_for(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "SPEAKS_WITHIN", 0.2)
    read = settings(env(LISTEN=listener.getsockname()[0], PORT=str(listener.getsockname()[1])))
    with socket.create_connection(listener.getsockname()[:2]):
        assert connections.awaited(read) == ""
    assert connections.awaited(read) == ""


def test_each_client_is_told_from_the_others(listener: socket.socket, tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    host, port = listener.getsockname()[:2]
    read = settings(env(LISTEN=f"{host},{path}", PORT=str(port)))
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        seen: list[set[str]] = [connections.each(read)]
        ends = []
        for _ in range(2):
            ends += [socket.create_connection((host, port)), listener.accept()[0]]
            seen.append(connections.each(read))
            local = socket.socket(socket.AF_UNIX)
            local.connect(path)
            ends += [local, server.accept()[0]]
            seen.append(connections.each(read))
        assert [len(each) for each in seen] == [0, 1, 2, 3, 4]
        for end in ends:
            end.close()


def test_what_a_client_does_not_read_is_owed(listener: socket.socket) -> None:
    read = settings(env(LISTEN=listener.getsockname()[0], PORT=str(listener.getsockname()[1])))
    with (
        socket.create_connection(listener.getsockname()[:2]) as client,
        listener.accept()[0] as server,
    ):
        assert not connections.is_owed(read)
        server.setblocking(False)
        try:
            while True:
                server.send(bytes(1 << 20))
        except BlockingIOError:
            pass
        assert connections.is_owed(read)
        assert client.recv(1)


def listening(listen: str, port: int) -> Settings:
    return settings(env(LISTEN=listen, PORT=str(port)))


@pytest.mark.parametrize(
    ("address", "counts"),
    [
        ("127.0.0.1", ["127.0.0.1", "0.0.0.0", "::1,127.0.0.1", "0.0.0.0,::"]),
        ("127.0.0.2", ["127.0.0.2", "0.0.0.0", "0.0.0.0,::"]),
        ("::1", ["::1", "::", "::1,127.0.0.1", "0.0.0.0,::"]),
    ],
)
def test_clients_of_another_instance_at_that_port_are_its_own(
    address: str, counts: list[str]
) -> None:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as sock:
        sock.bind((address, 0))
        sock.listen()
        port = sock.getsockname()[1]
        with socket.create_connection((address, port)) as client:
            client.sendall(b"SSLplz??")
            for listen in (
                "127.0.0.1",
                "127.0.0.2",
                "::1",
                "::1,127.0.0.1",
                "0.0.0.0",
                "::",
                "0.0.0.0,::",
            ):
                read, expected = listening(listen, port), listen in counts
                assert (
                    connections.connected(read)
                    == connections.connected(read, procnet.Snapshot())
                    == expected
                ), listen
                assert (
                    bool(connections.each(read)),
                    connections.pending(read),
                    has_client(read),
                ) == (expected,) * 3, listen
                assert (connections.connecting(read) == "a client that has left") != expected, (
                    listen
                )


def test_however_many_are_asked_about_each_table_is_read_once(
    listener: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "s")
    host, port = listener.getsockname()[:2]
    read: list[str] = []
    lines = procnet._lines

    def noted(table: str) -> Iterator[str]:
        read.append(table)
        return lines(table)

    monkeypatch.setattr(procnet, "_lines", noted)
    tables = procnet.Snapshot()
    with (
        socket.socket(socket.AF_UNIX) as server,
        socket.socket(socket.AF_UNIX) as local,
        socket.create_connection((host, port)),
    ):
        server.bind(path)
        server.listen()
        local.connect(path)
        unused = range(600, 699)  # nobody's, as those are not that clients get
        assert [
            connections.connected(listening(f"127.0.0.1,::1,{path}", each), tables)
            for each in (port, *unused)
        ] == [2] + [1] * 99
        assert sorted(read) == ["tcp", "tcp6", "unix"]
    assert connections.connected(listening(host, port), tables) == 1, "as it was"
    assert connections.connected(listening(host, port)) == 0


@pytest.mark.parametrize(
    ("byteorder", "text", "address"),
    [
        ("little", "0100007F:D431", "127.0.0.1:54321"),
        ("big", "7F000001:D431", "127.0.0.1:54321"),
        ("little", "00000000000000000000000001000000:0050", "[::1]:80"),
        ("big", "00000000000000000000000000000001:0050", "[::1]:80"),
        ("little", "0000000000000000FFFF00000100007F:0050", "127.0.0.1:80"),
        ("big", "00000000000000000000FFFF7F000001:0050", "127.0.0.1:80"),
    ],
)
def test_addresses_are_read_in_the_byte_order_of_the_machine(
    monkeypatch: pytest.MonkeyPatch, byteorder: str, text: str, address: str
) -> None:
    monkeypatch.setattr(sys, "byteorder", byteorder)
    assert procnet.address(text) == address
    host = text.partition(":")[0]
    assert procnet.written(procnet.read(host)) == host


def test_what_is_no_address_is_that_of_no_client() -> None:
    assert [procnet.octets(text) for text in ("", "/run/s", "1.2", "::1::", "127.0.0.1")] == [
        b"",
        b"",
        b"",
        b"",
        b"\x7f\0\0\1",
    ]
    assert connections.connected(listening("1.2,::1::", 22)) == 0
