"""HTTP: the status of a probe, and the answer that a refused client gets."""

import http.client
import io
import socket
import threading

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sockwake.protocol import http as ours


class Canned(socket.socket):
    """A socket that http.client reads one answer from."""

    def __init__(self, answer: bytes) -> None:
        super().__init__()
        self.answer = answer

    def makefile(self, *_: object, **__: object) -> io.BytesIO:  # type: ignore[override]
        return io.BytesIO(self.answer)


def asked(*answers: bytes, path: str = "/") -> tuple[int, bytes]:
    """(status of a probe, its request) with a server that sends these answers."""
    ours_end, server = socket.socketpair()
    ours_end.settimeout(5)
    received = []

    def serve() -> None:
        with server:
            received.append(server.recv(4096))
            for answer in answers:
                server.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    status = ours.ask(ours_end, path)
    thread.join()
    assert ours_end.fileno() == -1, "it closes the connection"
    return status, received[0]


@pytest.mark.parametrize(
    ("answers", "status"),
    [
        ([b"HTTP/1.1 200 OK\r\n\r\n"], 200),
        ([b"HTTP/1.0 404 Not Found\r\n"], 404),
        ([b"HTTP/1.1 503 x\r\n\r\n"], 503),
        ([b"HTTP/1.1 204\r\n"], 204),
        ([bytes([byte]) for byte in b"HTTP/1.1 301 Moved\r\n"], 301),
        ([], 0),
        ([b""], 0),
        ([b"HTTP/1.1 20"], 0),
        ([b"HTTP/1.1 2x0 OK\r\n"], 0),
        ([b"HTTP/2.0 200 OK\r\n"], 0),
        ([b"SSH-2.0-OpenSSH_10.0\r\n"], 0),
        ([b"\x15\x03\x01\x00\x02\x02\x46 alert"], 0),
        ([b"\0" * 100], 0),
    ],
)
def test_the_status_is_the_server_s(answers: list[bytes], status: int) -> None:
    assert asked(*answers)[0] == status


def test_the_request_is_one_that_every_server_takes() -> None:
    _, request = asked(b"HTTP/1.1 200 OK\r\n\r\n", path="/health?deep=1")
    head = request.decode().split("\r\n")
    assert head[0] == "GET /health?deep=1 HTTP/1.1"
    assert {"Host: localhost", "Connection: close"} <= set(head) and request.endswith(b"\r\n\r\n")


def test_a_silent_server_has_no_status() -> None:
    ours_end, server = socket.socketpair()
    with server:
        ours_end.settimeout(0.05)
        assert ours.ask(ours_end, "/") == 0


@given(st.binary(max_size=40))
@example(b"HTTP/1.1 \xb2\xb2\xb2 ")
def test_any_bytes_of_a_server_are_a_status_or_none(answer: bytes) -> None:
    assert 0 <= asked(answer)[0] <= 999


@pytest.mark.parametrize(
    ("status", "ready"),
    [
        (200, True),
        (204, True),
        (301, True),
        (401, True),
        (404, True),
        (500, True),
        (502, False),
        (503, False),
        (504, False),
        (0, False),
    ],
)
def test_a_server_is_ready_unless_it_answers_like_a_reverse_proxy_without_backend(
    status: int, ready: bool
) -> None:
    assert ours.is_ready(status) is ready


@given(st.text(max_size=300))
@example("its container ended: ü\r\n\r\nSet-Cookie: x")
@example("\udcff")
def test_a_client_is_told_why_and_when_to_come_again(message: str) -> None:
    answer = http.client.HTTPResponse(Canned(ours.unavailable(message)))
    answer.begin()
    assert (answer.status, answer.reason) == (503, "Service Unavailable")
    assert answer.read() == f"{message}\n".encode(errors="replace")
    assert int(answer.headers["Retry-After"]) > 0 and answer.headers["Cache-Control"] == "no-store"
    assert {name.lower() for name in answer.headers} == {
        "retry-after",
        "content-type",
        "cache-control",
        "content-length",
        "connection",
    }


@pytest.mark.parametrize(
    "method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT"]
)
def test_a_request_is_known_by_its_method(method: str) -> None:
    assert ours.begins(f"{method} / HTTP/1.1\r\n".encode())
    assert not ours.begins(method.encode()) and not ours.begins(f" {method} /".encode())


@pytest.mark.parametrize(
    "other",
    [
        b"",
        b"\0\0\0\x08\x04\xd2\x16\x2f",
        b"\x16\x03\x01",
        b"SSH-2.0-x",
        b"PING\r\n",
        b"get / http/1.0\r\n",
        b"*1\r\n",
    ],
)
def test_other_bytes_are_no_request(other: bytes) -> None:
    assert not ours.begins(other)


@pytest.mark.parametrize(
    ("received", "whole"),
    [
        (b"GET / HTTP/1.1\r\n", False),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r", False),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", True),
        (b"GET /\n\n", True),
        (b"POST / HTTP/1.1\r\n\r\nbody", True),
    ],
)
def test_a_head_ends_with_an_empty_line(received: bytes, whole: bool) -> None:
    assert ours.has_head(received) is whole
