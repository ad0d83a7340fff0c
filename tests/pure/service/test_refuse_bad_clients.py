"""Whatever other clients do to the refusing program, an honest one is told, and it ends in time."""

import contextlib
import os
import select
import socket
import threading
import time
from unittest import mock

from hypothesis import example, given
from hypothesis import strategies as st

from fuzz import cases
from refusal import GSS, REQUEST, SSL, STARTUP
from sockwake.protocol import http, postgres
from sockwake.service import refuse

PATIENCE = 0.25  # seconds for all clients of a case together
SLACK = 10  # for a busy machine
REASON = "no"
PACKETS = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [
            SSL,
            GSS,
            STARTUP,
            STARTUP[:9],
            REQUEST,
            REQUEST[:9],
            b"GET ",
            b"\0\0\0\x08",
            b"\0\0\x27\x10\0\3\0\0",
            b"\xff" * 12,
            b"\0" * 10000,
            b"x" * 70000,
        ]
    ),
)
STEPS = st.one_of(
    st.tuples(st.just("says"), PACKETS),
    st.tuples(st.sampled_from(["waits", "closes its half", "leaves", "resets"]), st.just(b"")),
)
CLIENTS = st.lists(st.lists(STEPS, max_size=4), max_size=4)


def act(sock: socket.socket, steps: list[tuple[str, bytes]]) -> None:
    """Do to the program what one client does; whatever it answers to that is its right."""
    with contextlib.suppress(OSError):
        for what, packet in steps:
            if what == "says":
                sock.send(packet)
            elif what == "waits":
                time.sleep(0.02)
            elif what == "closes its half":
                sock.shutdown(socket.SHUT_WR)
            elif what == "resets":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                sock.close()
            else:
                sock.close()


@cases(60)
@given(CLIENTS, st.booleans())
@example([[("says", STARTUP), ("closes its half", b"")], [("resets", b"")], []], True)
@example([[("says", bytes([byte])) for byte in SSL + STARTUP[:8]]], False)
def test_an_honest_client_is_told_whatever_the_others_do(
    clients: list[list[tuple[str, bytes]]], speaks_http: bool
) -> None:
    before = set(os.listdir("/proc/self/fd"))
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        contextlib.ExitStack() as held,
        mock.patch.object(refuse, "_PATIENCE", PATIENCE),
    ):
        sockets = [
            held.enter_context(socket.create_connection(listener.getsockname(), SLACK))
            for _ in clients
        ]
        for sock in sockets:
            sock.setblocking(False)
        honest = held.enter_context(socket.create_connection(listener.getsockname(), SLACK))
        honest.sendall(REQUEST if speaks_http else STARTUP)
        actors = [threading.Thread(target=act, args=pair) for pair in zip(sockets, clients)]
        for actor in actors:
            actor.start()
        began = time.monotonic()
        refused = refuse.refuse([listener], REASON)
        took = time.monotonic() - began
        for actor in actors:
            actor.join()
        assert select.select([honest], [], [], 0)[0], "it has no answer"
        answer = b"".join(iter(lambda: honest.recv(4096), b""))
    assert answer == (http.unavailable(REASON) if speaks_http else postgres.fatal(REASON))
    assert 1 <= refused <= len(clients) + 1
    assert took < PATIENCE + SLACK
    assert set(os.listdir("/proc/self/fd")) == before, "a connection is left open"
