"""Whether a program is to be started: with the listening sockets of this process in place of systemd's."""

import os
import socket
import struct
import time
from collections.abc import Iterator

import pytest
from test_settings import COMMAND, NATIVE, text_of
from tree import Tree

from sockwake import wanted
from sockwake.instance import Instance


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    monkeypatch.setattr(wanted, "_SYSTEMD", os.getpid())
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock


def at(tree: Tree, listener: socket.socket, keys: dict[str, str] = COMMAND) -> Instance:
    """An instance that listens there."""
    return tree.write_env("app", text_of(keys, PORT=str(listener.getsockname()[1])))


def come(listener: socket.socket, *, reset: bool = False) -> socket.socket:
    sock = socket.create_connection(listener.getsockname())
    if reset:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return sock


def test_who_starts_it_by_hand_gets_it(tree: Tree, listener: socket.socket) -> None:
    assert wanted.is_wanted(at(tree, listener))


@pytest.mark.parametrize("keys", [COMMAND, NATIVE], ids=["command", "native"])
@pytest.mark.parametrize("reset", [False, True])
def test_nothing_is_started_for_who_has_left(tree: Tree, listener: socket.socket, capfd: pytest.CaptureFixture[str],
                                             keys: dict[str, str], reset: bool) -> None:
    instance = at(tree, listener, keys)
    visitors = [come(listener, reset=reset) for _ in range(2)]
    for visitor in visitors:
        visitor.close()
    time.sleep(0.05)
    assert not wanted.is_wanted(instance)
    assert "sockwake: turned away 2 connections that sent nothing, the last from 127.0.0.1:" in capfd.readouterr().out


def test_a_client_behind_one_who_has_left_stays_in_the_queue(tree: Tree, listener: socket.socket) -> None:
    come(listener).close()
    with come(listener) as client:
        assert wanted.is_wanted(at(tree, listener))
        listener.accept()[0].close()
        with listener.accept()[0] as accepted:
            client.sendall(b"ping")
            assert accepted.recv(4) == b"ping"


def test_where_clients_speak_first_one_who_does_not_is_no_client(tree: Tree, listener: socket.socket) -> None:
    with come(listener) as silent:
        assert not wanted.is_wanted(at(tree, listener, COMMAND | {"CLIENT_FIRST": "yes"}))
        assert silent.recv(1) == b""


def test_the_visitors_of_another_instance_on_that_port_are_not_touched(tree: Tree, listener: socket.socket) -> None:
    with socket.create_server(("127.0.0.2", listener.getsockname()[1])) as other:
        come(other).close()
        come(listener).close()
        assert not wanted.is_wanted(at(tree, listener))
        other.settimeout(1)
        other.accept()[0].close()

