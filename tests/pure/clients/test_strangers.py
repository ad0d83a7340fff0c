"""Connections that are no clients are closed by the waker, and a client among them is not."""

import os
import socket
import threading

import pytest

from env_file import env, settings
from sockwake.config.instance import Instance
from sockwake.config.settings import load
from sockwake.lifecycle import runtime
from sockwake.lifecycle.handover import Handover, hand_over
from tree import Tree

STARTUP = b"8 bytes."


@pytest.fixture
def instance(tree: Tree, listener: socket.socket) -> Instance:
    listener.setblocking(False)
    instance = tree.write_env("pg1", env(PORT=str(listener.getsockname()[1])))
    runtime.prepare(instance)
    return instance


def knock(listener: socket.socket, said: bytes = b"") -> socket.socket:
    sock = socket.create_connection(listener.getsockname())
    sock.sendall(said)
    return sock


def turn_away(instance: Instance, listener: socket.socket) -> bool:
    """As waker and proxy do it; returns what hand_over() does."""
    handover = Handover(instance)
    to_proxy: list[int] = []
    waker = threading.Thread(target=lambda: to_proxy.append(handover.turn_away(load(instance))))
    waker.start()
    proxy_said: list[bool] = []
    proxy = threading.Thread(target=lambda: proxy_said.append(hand_over(instance.run, [listener])))
    proxy.start()
    waker.join(10)
    assert not proxy_said, "the proxy waits for the end of the waker"
    handover.close()
    os.close(to_proxy[0])
    proxy.join(10)
    return proxy_said[0]


def test_a_silent_connection_is_closed_and_named(
    instance: Instance, listener: socket.socket, capfd: pytest.CaptureFixture[str]
) -> None:
    with knock(listener) as silent:
        assert turn_away(instance, listener)
        assert silent.recv(1) == b""
        host, port = silent.getsockname()
    assert f"sockwake: turned away {host}:{port}, which sent nothing\n" in capfd.readouterr().out
    with pytest.raises(BlockingIOError):
        listener.accept()


def test_a_client_that_has_left_was_not_silent(
    instance: Instance, listener: socket.socket, capfd: pytest.CaptureFixture[str]
) -> None:
    knock(listener, STARTUP).close()
    assert turn_away(instance, listener)
    assert ", which sent too little, or had left\n" in capfd.readouterr().out
    knock(listener, STARTUP).close()
    knock(listener).close()
    assert turn_away(instance, listener)
    said = "2 connections that sent nothing, sent too little, or had left, the last from"
    assert said in capfd.readouterr().out


def test_a_connection_that_has_begun_to_send_gets_time_to_go_on(
    instance: Instance, listener: socket.socket
) -> None:
    knock(listener).close()
    with knock(listener, STARTUP[:2]) as slow:
        timer = threading.Timer(0.3, slow.sendall, [STARTUP[2:]])
        timer.start()
        assert turn_away(instance, listener)
        timer.join()
        listener.accept()[0].close()  # it was the first
        accepted, address = listener.accept()
        with accepted:
            assert (address, accepted.recv(8)) == (slow.getsockname(), STARTUP)


def test_a_client_behind_strangers_stays_in_the_queue_and_so_do_they(
    instance: Instance, listener: socket.socket
) -> None:
    with knock(listener) as silent, knock(listener, STARTUP) as client:
        assert turn_away(instance, listener)
        assert listener.accept()[1] == silent.getsockname()
        accepted, address = listener.accept()
        with accepted:
            assert (address, accepted.recv(8)) == (client.getsockname(), STARTUP)


def test_without_a_waker_that_wants_them_the_sockets_are_kept(
    instance: Instance, listener: socket.socket
) -> None:
    assert not hand_over(instance.run, [listener])
    socket.socket(socket.AF_UNIX).bind(instance.handover_socket)  # of a waker that was killed
    assert not hand_over(instance.run, [listener])
    runtime.prepare(instance)
    assert not os.path.exists(instance.handover_socket)


def test_a_proxy_that_never_comes_is_not_waited_for_for_ever(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sockwake.lifecycle.handover._PROXY_COMES_WITHIN", 0.1)
    handover = Handover(instance)
    handover.turn_away(settings(env()))
    handover.close()


def test_however_many_say_nothing_there_is_one_line(
    instance: Instance, listener: socket.socket, capfd: pytest.CaptureFixture[str]
) -> None:
    for _ in range(40):
        knock(listener).close()
    assert turn_away(instance, listener)
    said = capfd.readouterr().out
    assert (
        said.startswith(
            "sockwake: turned away 40 connections that sent nothing, the last from 127.0.0.1:"
        )
        and said.count("\n") == 1
    )


def test_a_proxy_that_comes_too_late_leaves_and_refuses_no_client(
    instance: Instance, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    test_a_proxy_that_never_comes_is_not_waited_for_for_ever(instance, monkeypatch)
    with knock(listener, STARTUP) as client:
        assert hand_over(instance.run, [listener])
        assert listener.accept()[1] == client.getsockname()
    runtime.prepare(instance)
    assert not hand_over(instance.run, [listener]), (
        "what was left of one wake is not told in the next"
    )
