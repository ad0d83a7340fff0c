"""Clients are counted where the port is open, whatever instance.env says by now."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from env_file import env, settings
from sockwake.clients import connections, listening

ELSEWHERE = "6"


@contextmanager
def accepting(*addresses: str) -> Iterator[tuple[int, list[socket.socket]]]:
    """A process with listening sockets from descriptor 3 on, as systemd passes them."""
    with ExitStack() as stack:
        sockets = [
            stack.enter_context(
                socket.create_server(
                    (address, 0), family=socket.AF_INET6 if ":" in address else socket.AF_INET
                )
            )
            for address in addresses
        ]
        numbers = [each.fileno() for each in sockets]
        # first out of the way of what they are moved to
        moves = [f"exec {100 + i}<&{fd}" for i, fd in enumerate(numbers)]
        moves += [f"exec {3 + i}<&{100 + i}" for i in range(len(numbers))]
        argv = ["bash", "-c", "; ".join([*moves, "echo", "exec sleep 60"])]
        with subprocess.Popen(argv, pass_fds=numbers, stdout=subprocess.PIPE) as child:
            try:
                assert child.stdout and child.stdout.read(1)
                yield child.pid, sockets
            finally:
                child.kill()


def place(listener: socket.socket) -> tuple[str, int]:
    host, port = listener.getsockname()[:2]
    return host, port


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_client_is_seen_though_another_port_was_written(address: str) -> None:
    read = settings(env(PORT=ELSEWHERE))
    with accepting(address) as (pid, (old,)), socket.create_connection(place(old)):
        assert connections.connected(read) == 0
        read = listening.as_open(read, pid)
        assert connections.connected(read) == 1
        assert (read.places, read.listen) == ((place(old),), (address,))


def test_an_address_that_was_taken_out_still_counts() -> None:
    with accepting("127.0.0.1", "127.0.0.2") as (pid, (first, second)):
        read = settings(env(PORT=f"{place(first)[1]}", LISTEN="127.0.0.1"))
        with socket.create_connection(place(second)):
            read = listening.as_open(read, pid)
            assert connections.connected(read) == 1


def test_a_program_s_own_socket_is_no_port_of_the_instance() -> None:
    with accepting("127.0.0.1", "127.0.0.2") as (pid, (passed, own)):
        read = settings(env(KIND="native", PORT=ELSEWHERE, VERSION="", DATA=""))
        with socket.create_connection(place(own)):
            read = listening.as_open(read, pid)
            assert (read.places, connections.connected(read)) == ((place(passed),), 0)


def test_they_stay_where_nothing_is_seen() -> None:
    read = settings(env(PORT=ELSEWHERE))
    before = read.places
    with subprocess.Popen(["sleep", "60"], close_fds=True) as other:
        for pid in (0, other.pid):
            read = listening.as_open(read, pid)
            assert read.places == before
        other.kill()
