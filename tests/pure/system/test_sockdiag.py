"""Closed connections, as the kernel tells them."""

import ctypes
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from sockwake.lifecycle import runtime
from sockwake.lifecycle.monitor import ClientMonitor, ClosedConnections, Orders, readable
from sockwake.system import sockdiag
from tree import Tree

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may listen")


@pytest.fixture(params=["127.0.0.1", "::1"])
def listener(request: pytest.FixtureRequest) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in request.param else socket.AF_INET
    with socket.create_server((request.param, 0), family=family) as sock:
        yield sock


@pytest.fixture
def hearing(listener: socket.socket) -> Iterator[int]:
    host, port = listener.getsockname()[:2]
    fd = sockdiag.listen([(host, port)])
    yield fd
    os.close(fd)


def visit(listener: socket.socket, said: bytes) -> str:
    """Connect, send these bytes and close; the client's address and port."""
    with socket.create_connection(listener.getsockname()[:2]) as client:
        client.sendall(said)
        host, port = client.getsockname()[:2]
        client.shutdown(socket.SHUT_WR)
        with listener.accept()[0] as accepted:
            while accepted.recv(100):
                pass
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def wait_for(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("said", [b"", b"x" * 77])
def test_a_closed_connection_is_told_with_its_client_and_bytes(
    listener: socket.socket, hearing: int, said: bytes
) -> None:
    assert list(sockdiag.read(hearing)) == []
    client = visit(listener, said)
    assert readable(hearing, timeout=5) == {hearing}
    assert [(sockdiag.client_of(message), count) for message, count in sockdiag.read(hearing)] == [
        (client, len(said) + 1)
    ]


def test_a_port_that_is_closed_is_no_connection(listener: socket.socket, hearing: int) -> None:
    with socket.create_connection(listener.getsockname()[:2]):
        listener.accept()[0].close()
        listener.close()
    # its FIN counts, unless the kernel has given up the connection's socket before it came
    wait_for(lambda: [said for _, said in sockdiag.read(hearing)] in ([0], [1]))
    time.sleep(0.1)
    assert list(sockdiag.read(hearing)) == []


def test_connections_to_other_ports_are_not_told(listener: socket.socket, hearing: int) -> None:
    with socket.create_server((*listener.getsockname()[:1], 0), family=listener.family) as other:
        visit(other, b"hello")
    visit(listener, b"")
    assert readable(hearing, timeout=5) == {hearing}
    assert [count for _, count in sockdiag.read(hearing)] == [1]


@pytest.mark.parametrize(
    ("addresses", "heard"),
    [
        (["127.0.0.1"], [2]),
        (["127.0.0.2"], [3]),
        (["::1"], [4]),
        (["::1", "127.0.0.2"], [3, 4]),
        (["0.0.0.0"], [2, 3]),
        (["::"], [4]),
        (["0.0.0.0", "::"], [2, 3, 4]),
        (["127.0.0.3", "/run/s", "::2"], []),
        (["127.0.0.3"] * 63 + ["::1"], [4]),
    ],
)
def test_only_connections_to_the_instance_s_own_addresses_are_told(
    addresses: list[str], heard: list[int]
) -> None:
    with ExitStack() as stack:
        one = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        port = one.getsockname()[1]
        two = stack.enter_context(socket.create_server(("127.0.0.2", port)))
        three = stack.enter_context(socket.create_server(("::1", port), family=socket.AF_INET6))
        fd = sockdiag.listen([(address, port) for address in addresses])
        stack.callback(os.close, fd)
        for number, server in enumerate((one, two, three), 1):
            visit(server, b"x" * number)
        counts: list[int] = []

        def has_all() -> bool:
            counts.extend(count for _, count in sockdiag.read(fd))
            return len(counts) >= len(heard)

        wait_for(has_all)
        time.sleep(0.05)
        assert has_all() and sorted(counts) == heard


def test_the_filter_is_laid_out_as_the_machine_wants_it() -> None:
    class SockFilter(ctypes.Structure):
        _fields_ = [
            ("code", ctypes.c_uint16),
            ("jt", ctypes.c_uint8),
            ("jf", ctypes.c_uint8),
            ("k", ctypes.c_uint32),
        ]

    class SockFprog(ctypes.Structure):
        _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.c_void_p)]

    assert bytes(SockFilter(0x15, 1, 2, 25432)) == struct.pack(
        sockdiag._SOCK_FILTER, 0x15, 1, 2, 25432
    )
    assert bytes(SockFprog(7, 0x1234_5678)) == struct.pack(sockdiag._SOCK_FPROG, 7, 0x1234_5678)
    assert struct.calcsize(sockdiag._SOCK_FPROG) == {8: 16, 4: 8}[ctypes.sizeof(ctypes.c_void_p)]
    assert struct.calcsize(sockdiag._SOCK_FILTER) == 8


@pytest.mark.parametrize(
    ("leave", "counts"),
    [
        (lambda listener: visit(listener, b"startup"), False),
        (lambda listener: visit(listener, b"startup."), True),
    ],
)
def test_only_a_connection_with_enough_bytes_counts_as_a_client(
    tree: Tree,
    listener: socket.socket,
    hearing: int,
    capfd: pytest.CaptureFixture[str],
    leave: Callable[[socket.socket], str],
    counts: bool,
) -> None:
    instance = tree.write_env("pg1", "")
    runtime.prepare(instance)
    closed = ClosedConnections(instance, hearing, 8)
    before = open(instance.last_visit).read()
    time.sleep(0.01)
    client = leave(listener)
    assert readable(hearing, timeout=5) == {hearing}
    assert closed.read_events() == counts
    assert (open(instance.last_visit).read() > before) == counts
    closed.sum_up()
    assert capfd.readouterr().out == (
        "" if counts else f"sockwake: a connection from {client} sent nothing\n"
    )


def test_the_first_silent_connection_is_logged_at_once_and_the_others_once_a_minute(
    tree: Tree, listener: socket.socket, hearing: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    monkeypatch.setattr("sockwake.lifecycle.monitor.journal.say", lines.append)
    monkeypatch.setattr("sockwake.lifecycle.monitor._LINE_EVERY", 4)
    instance = tree.write_env("pg1", "")
    runtime.prepare(instance)
    watched = ClientMonitor(instance, Orders(events_fd=hearing, goodbye=8))
    reader, writer = os.pipe()
    watching = threading.Thread(target=watched.wait, args=[reader])
    watching.start()
    try:
        first = visit(listener, b"")
        told = [f"a connection from {first} sent nothing"]
        wait_for(lambda: lines == told)
        last = [visit(listener, b"") for _ in range(37)][-1]
        assert lines == told
        told.append(f"37 connections in the last minute sent nothing, the last from {last}")
        wait_for(lambda: lines == told)
        rest = visit(listener, b"")
        time.sleep(0.1)
    finally:
        os.write(writer, b"x")
        watching.join()
    watched.end()
    assert lines == [*told, f"a connection from {rest} sent nothing"]


def test_a_buffer_overrun_of_the_kernel_counts_as_a_client(
    tree: Tree, listener: socket.socket, hearing: int
) -> None:
    instance = tree.write_env("pg1", "")
    runtime.prepare(instance)
    closed = ClosedConnections(instance, hearing, 8)
    before = open(instance.last_visit).read()
    socket.socket(fileno=os.dup(hearing)).setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    for _ in range(20):
        visit(listener, b"")
    deadline = time.monotonic() + 10  # the kernel is a little late
    while open(instance.last_visit).read() == before and time.monotonic() < deadline:
        closed.read_events()
    assert open(instance.last_visit).read() > before
