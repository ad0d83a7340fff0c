"""The program that tells HTTP clients why: each in the form of its own protocol."""

import contextlib
import select
import socket
from pathlib import Path

import pytest

from error_response import fields_of
from refusal import REQUEST, SENTENCE, STARTUP, connect, end, read_all, require_unavailable, start


@pytest.mark.parametrize(
    "request_",
    [
        REQUEST,
        REQUEST.replace(b"GET", b"HEAD"),
        b"OPTIONS * HTTP/1.0\n\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
def test_a_client_that_speaks_http_is_told_in_http(
    listener: socket.socket, failure: Path, request_: bytes
) -> None:
    client = connect(listener, request_)
    process = start(listener, "pg1", failure)
    require_unavailable(read_all(client))
    ran = end(process)
    assert (ran.status, ran.stdout, ran.stderr) == (0, "", f"refused 1 client: {SENTENCE}\n")


def test_a_request_that_comes_byte_by_byte_is_answered_when_it_is_whole(
    listener: socket.socket, failure: Path
) -> None:
    """An earlier answer would be lost in the reset that the rest of the request meets."""
    client = connect(listener)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    process = start(listener, "pg1", failure)
    for position in range(len(REQUEST)):
        assert select.select([client], [], [], 0)[0] == [], "it has been answered already"
        client.sendall(REQUEST[position : position + 1])
    require_unavailable(read_all(client))
    assert end(process).status == 0


def test_a_client_that_still_sends_its_body_reads_the_answer(
    listener: socket.socket, failure: Path
) -> None:
    client = connect(
        listener, b"POST /upload HTTP/1.1\r\nHost: shop\r\nContent-Length: 4000000\r\n\r\n"
    )
    process = start(listener, "pg1", failure)
    assert client.recv(1) == b"H"
    for _ in range(40):
        client.sendall(b"x" * 100_000)
    require_unavailable(b"H" + read_all(client))
    assert end(process).status == 0


@pytest.mark.parametrize("said", [REQUEST[:-1], b"GET " + b"x" * 70_000], ids=["half", "too long"])
def test_a_request_that_never_ends_is_let_go(
    listener: socket.socket, failure: Path, said: bytes
) -> None:
    client = connect(listener, said)
    ran = end(start(listener, "pg1", failure))
    assert (ran.status, "Traceback" in ran.stderr) == (0, False)
    with contextlib.suppress(ConnectionResetError):  # it sent more than the program wanted to know
        assert read_all(client) == b""


def test_clients_of_both_kinds_are_each_told_in_their_own_words(
    listener: socket.socket, failure: Path
) -> None:
    clients = [connect(listener, STARTUP if number % 2 else REQUEST) for number in range(50)]
    process = start(listener, "pg1", failure)
    for number, client in enumerate(clients):
        answer = read_all(client)
        if number % 2:
            assert fields_of(answer)["M"] == SENTENCE
        else:
            require_unavailable(answer)
    assert end(process).stderr == f"refused 50 clients: {SENTENCE}\n"


def test_it_can_be_told_the_sentence_itself(listener: socket.socket) -> None:
    """So does bin/when-wanted, which has no proxy in front of it."""
    client = connect(listener, REQUEST)
    process = start(listener, "--because", SENTENCE)
    require_unavailable(read_all(client))
    assert end(process).stderr == f"refused 1 client: {SENTENCE}\n"
