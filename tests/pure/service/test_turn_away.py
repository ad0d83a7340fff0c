"""Whether a program is to be started, with the listening sockets of this process for systemd's."""

import os
import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from env_file import COMMAND, NATIVE, text_of
from sockwake.config.instance import Instance
from sockwake.config.settings import load
from sockwake.lifecycle import asker, holds
from sockwake.service import turn_away
from tree import SOURCE, Tree, run


@pytest.fixture(autouse=True)
def process_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take this process for systemd."""
    monkeypatch.setattr(turn_away, "_SYSTEMD", os.getpid())


def at(tree: Tree, listener: socket.socket, keys: dict[str, str] = COMMAND) -> Instance:
    """An instance that listens there."""
    return tree.write_env("app", text_of(keys, PORT=str(listener.getsockname()[1])))


def is_wanted(instance: Instance) -> bool:
    settings = load(instance)
    return turn_away.is_wanted(instance, settings, turn_away.sockets(settings))


def come(listener: socket.socket, *, reset: bool = False) -> socket.socket:
    sock = socket.create_connection(listener.getsockname())
    if reset:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return sock


def test_one_that_is_started_by_hand_is_started(tree: Tree, listener: socket.socket) -> None:
    assert is_wanted(at(tree, listener))


@pytest.mark.parametrize("keys", [COMMAND, NATIVE], ids=["command", "native"])
@pytest.mark.parametrize("reset", [False, True])
def test_nothing_is_started_for_connections_that_are_closed(
    tree: Tree,
    listener: socket.socket,
    capfd: pytest.CaptureFixture[str],
    keys: dict[str, str],
    reset: bool,
) -> None:
    instance = at(tree, listener, keys)
    closed = [come(listener, reset=reset) for _ in range(2)]
    for each in closed:
        each.close()
    time.sleep(0.05)
    assert not is_wanted(instance)
    assert (
        "sockwake: turned away 2 connections that sent nothing, the last from 127.0.0.1:"
        in capfd.readouterr().out
    )


@pytest.mark.parametrize("by_command", [False, True])
def test_behind_closed_connections_a_hold_or_a_command_is_served(
    tree: Tree, listener: socket.socket, monkeypatch: pytest.MonkeyPatch, by_command: bool
) -> None:
    """systemd starts the backend once for a port scan and for them."""
    instance = at(tree, listener)
    if by_command:
        asker.note(instance)
    else:
        units = tree.path / "transient"
        units.mkdir()
        monkeypatch.setattr(holds, "_directory", lambda: str(units))
        (units / "pg-keep@app:1.service").touch()
    come(listener).close()
    time.sleep(0.05)
    assert is_wanted(instance)


def test_a_client_behind_a_closed_connection_stays_in_the_queue(
    tree: Tree, listener: socket.socket
) -> None:
    come(listener).close()
    with come(listener) as client:
        assert is_wanted(at(tree, listener))
        listener.accept()[0].close()
        with listener.accept()[0] as accepted:
            client.sendall(b"ping")
            assert accepted.recv(4) == b"ping"


def test_where_clients_speak_first_a_silent_connection_is_none(
    tree: Tree, listener: socket.socket
) -> None:
    with come(listener) as silent:
        assert not is_wanted(at(tree, listener, COMMAND | {"CLIENT_FIRST": "yes"}))
        assert silent.recv(1) == b""


def test_the_visitors_of_another_instance_on_that_port_are_not_touched(
    tree: Tree, listener: socket.socket
) -> None:
    with socket.create_server(("127.0.0.2", listener.getsockname()[1])) as other:
        come(other).close()
        come(listener).close()
        assert not is_wanted(at(tree, listener))
        other.settimeout(1)
        other.accept()[0].close()


@pytest.fixture
def found(tmp_path: Path) -> Callable[[str], bool]:
    """found(TEXT): whether bin/wanted sees a client of the instance with this drop-in."""
    script = tmp_path / "wanted"
    text = (
        (SOURCE / "bin/wanted")
        .read_text()
        .replace("/run/systemd/generator", str(tmp_path))
        .replace("/run/sockwake", str(tmp_path))
    )
    script.write_text(text.replace("/usr/libexec/sockwake/turn-away", "echo none"))
    drop_in = tmp_path / "pg-proxy@app.socket.d/listen.conf"
    drop_in.parent.mkdir()

    def is_found(text: str) -> bool:
        drop_in.write_text(text)
        ran = run("dash", str(script), "app")
        assert (ran.status, ran.stderr) == (0, "")
        return ran.stdout != "none app\n"

    return is_found


@pytest.mark.parametrize(
    ("address", "listen", "is_found"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "127.0.0.2", False),
        ("127.0.0.1", "0.0.0.0", True),
        ("127.0.0.1", "[::1]", False),
        ("::1", "[::1]", True),
        ("::1", "[::]", True),
        ("::1", "127.0.0.1", False),
        ("127.0.0.2", "127.0.0.1 [::1]", False),
        ("127.0.0.2", "127.0.0.1 [::1] 127.0.0.2", True),
        ("127.0.0.2", "0.0.0.0 [::]", True),
    ],
)
def test_a_client_is_seen_at_an_address_of_the_instance(
    found: Callable[[str], bool], address: str, listen: str, is_found: bool
) -> None:
    with socket.create_server(
        (address, 0), family=socket.AF_INET6 if ":" in address else socket.AF_INET
    ) as server:
        port = server.getsockname()[1]
        drop_in = "[Socket]\n" + "".join(f"ListenStream={item}:{port}\n" for item in listen.split())
        assert not found(drop_in)
        with socket.create_connection((address, port)) as client:
            assert found(drop_in) == is_found
            assert not found(f"{drop_in}DeferAcceptSec=60\n"), "a client would have spoken first"
            client.sendall(b"ping")
            assert found(f"{drop_in}DeferAcceptSec=60\n") == is_found
