"""The engine's HTTP, against a real server on a real unix socket, and cut at every byte."""

import http.server
import json
import socket
import socketserver
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockwake.engine.api import API, Engine, EngineError, parse_answer, quoted
from sockwake.engine.container import split_frames

ANSWER = b'HTTP/1.0 200 OK\r\nContent-Type: application/json\r\nContent-Length: 8\r\n\r\n{"a": 1}'


class Docker(http.server.BaseHTTPRequestHandler):
    """Answers as the engine does: with a body, or with a JSON message for a missing object."""

    def do_GET(self) -> None:
        self._answer(
            *{
                "/_ping": (200, b"OK"),
                "/empty": (204, b""),
                "/odd": (500, b"\xffno json"),
                "/list": (500, b"[1]"),
            }.get(
                self.path.removeprefix(API),
                (404, json.dumps({"message": f"No such thing: {self.path}\n"}).encode()),
            )
        )

    def do_POST(self) -> None:
        self.do_GET()

    def address_string(self) -> str:
        return "a unix socket"

    def log_message(self, format: str, *args: object) -> None:
        """Nothing to say."""

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.flush()
        self.wfile.write(body)


@pytest.fixture
def docker(tmp_path: Path) -> Iterator[Engine]:
    path = str(tmp_path / "engine.sock")
    with socketserver.ThreadingUnixStreamServer(path, Docker) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield Engine(path)
        server.shutdown()
        thread.join()


@contextmanager
def engine_that_says(path: Path, *said: bytes) -> Iterator[Engine]:
    """An engine that reads one request, sends these pieces one by one, and closes."""
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(path))
        door.listen()

        def serve() -> None:
            with door.accept()[0] as client:
                client.recv(65536)
                for piece in said:
                    client.sendall(piece)

        thread = threading.Thread(target=serve)
        thread.start()
        yield Engine(str(path))
        thread.join()


def test_a_body_arrives(docker: Engine) -> None:
    assert docker.call("GET", "/_ping") == b"OK"
    assert docker.call("POST", "/empty") == b""


@pytest.mark.parametrize(
    ("target", "code", "message"),
    [
        ("/nothing", 404, f"No such thing: {API}/nothing"),
        ("/odd", 500, "�no json"),
        ("/list", 500, "[1]"),
    ],
)
def test_a_refusal_is_an_error_with_the_engines_words_and_status(
    docker: Engine, target: str, code: int, message: str
) -> None:
    with pytest.raises(EngineError) as caught:
        docker.call("GET", target)
    assert (caught.value.code, caught.value.said) == (code, message)
    assert caught.value.message == f"the container engine answered {code}", "it may quote anything"


def test_attaching_to_a_missing_container_names_the_reason(docker: Engine) -> None:
    with pytest.raises(EngineError, match=f"No such thing: {API}/containers/pg1/attach") as caught:
        docker.attach("pg1")
    assert caught.value.code == 404


@pytest.mark.parametrize(
    "head", [b"HTTP/1.0 200 OK\r\nA: b\r\n\r\n", b"HTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\n\r\n"]
)
def test_an_attached_stream_keeps_what_came_with_the_head(tmp_path: Path, head: bytes) -> None:
    with engine_that_says(tmp_path / "e", head + b"first", b" second") as engine:
        sock, rest = engine.attach("pg1")
        while chunk := sock.recv(100):
            rest += chunk
        sock.close()
    assert rest == b"first second"


@pytest.mark.parametrize(
    "said", [b"", b"HTTP/1.1 101 UPGRA", b"HTTP/1.1 101 UPGRADED\r\n", b"nonsense\r\n\r\n"]
)
def test_an_attach_that_is_cut_short_is_an_error(tmp_path: Path, said: bytes) -> None:
    with (
        engine_that_says(tmp_path / "e", said) as engine,
        pytest.raises(EngineError, match="was cut short"),
    ):
        engine.attach("pg1")


@pytest.mark.parametrize("length", range(len(ANSWER)))
def test_an_answer_cut_at_any_byte_is_an_error(length: int) -> None:
    with pytest.raises(EngineError, match="was cut short") as caught:
        parse_answer(ANSWER[:length])
    assert caught.value.code == 0


def test_a_whole_answer_is_its_body() -> None:
    assert parse_answer(ANSWER) == parse_answer(ANSWER + b"more than it said") == b'{"a": 1}'
    assert parse_answer(b"HTTP/1.0 200 OK\r\n\r\nuntil the end") == b"until the end"


@given(
    st.one_of(
        st.binary(),
        st.tuples(st.sampled_from([b"HTTP/1.1 ", b"HTTP/1.0 4"]), st.binary()).map(b"".join),
    )
)
def test_no_answer_is_more_than_an_error(answer: bytes) -> None:
    try:
        parse_answer(answer)
    except EngineError as error:
        assert error.message


@pytest.mark.parametrize("status", [400, 404, 409, 500, 503])
def test_a_refusal_without_words_says_its_status(status: int) -> None:
    with pytest.raises(EngineError, match=f"the container engine answered {status}") as caught:
        parse_answer(b"HTTP/1.0 %d Odd\r\nContent-Length: 0\r\n\r\n" % status)
    assert caught.value.code == status


@pytest.mark.parametrize("status", [200, 201, 204, 304])
def test_success_and_nothing_to_do_are_no_errors(status: int) -> None:
    assert parse_answer(b"HTTP/1.0 %d Fine\r\n\r\n" % status) == b""


@pytest.mark.parametrize(
    ("socket_name", "program", "hint"),
    [
        ("none", "", "apt install docker.io"),
        ("none", "dockerd", "systemctl status docker.service"),
        ("podman.sock", "", "apt install podman"),
        ("podman.sock", "podman", "systemctl enable --now podman.socket"),
    ],
)
def test_a_missing_engine_is_an_error_that_names_its_socket_and_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, socket_name: str, program: str, hint: str
) -> None:
    if program:
        (tmp_path / program).symlink_to("/usr/bin/true")
    monkeypatch.setenv("PATH", str(tmp_path))
    place = f"{tmp_path}/{socket_name}"
    with pytest.raises(EngineError) as caught:
        Engine(place).call("GET", "/")
    assert (
        caught.value.message
        == f"the container engine does not answer at {place}: no such file or directory"
    )
    assert caught.value.hint == hint


def test_an_engine_that_says_nothing_is_not_waited_for_longer_than_allowed(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(f"{tmp_path}/mute")
        door.listen()
        with pytest.raises(EngineError, match="does not answer: timed out"):
            Engine(f"{tmp_path}/mute").call("GET", "/", 0.05)


@pytest.mark.parametrize(
    "word",
    [
        "too new. Maximum supported API version is 1.41",
        "too old. Minimum supported API version is 1.52, please upgrade",
    ],
)
def test_an_engine_of_another_api_version_is_told_from_a_refusal(word: str) -> None:
    body = json.dumps({"message": f"client version 1.44 is {word}"}).encode()
    with pytest.raises(
        EngineError,
        match="the container engine does not speak version 1.44 of its API: client version 1.44 is",
    ) as caught:
        parse_answer(b"HTTP/1.0 400 Bad Request\r\n\r\n" + body)
    assert caught.value.code == 400 and "Docker 25 and later do" in caught.value.hint


@pytest.mark.parametrize("target", ["/_ping", "/containers/json?all=1"])
def test_every_request_names_the_version_of_the_api(tmp_path: Path, target: str) -> None:
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(f"{tmp_path}/e")
        door.listen()
        question = Engine(f"{tmp_path}/e").begin("GET", target)
        with door.accept()[0] as asked:
            assert asked.recv(1000).startswith(f"GET /v1.44{target} HTTP/1.0\r\n".encode())
        question.close()


@given(st.text())
def test_a_name_is_one_word_of_a_request_whatever_is_in_it(text: str) -> None:
    word = quoted(text)
    assert (
        word.isascii()
        and word.isprintable()
        and " " not in word
        and "?" not in word
        and urllib.parse.unquote(word) == text
    )


@given(
    st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=20)), max_size=8),
    st.lists(st.integers(0, 200), max_size=6),
)
def test_frames_come_out_the_same_wherever_the_stream_is_cut(
    frames: list[tuple[int, bytes]], cuts: list[int]
) -> None:
    stream = b"".join(
        bytes([kind, 0, 0, 0]) + len(text).to_bytes(4, "big") + text for kind, text in frames
    )
    edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    buffer, taken = bytearray(), b""
    for start, end in zip(edges, [*edges[1:], len(stream)]):
        buffer += stream[start:end]
        taken += split_frames(buffer)
    assert (taken, buffer) == (b"".join(text for _, text in frames), b"")


def test_a_frame_that_is_not_whole_stays_for_later() -> None:
    buffer = bytearray(b"\1\0\0\0\0\0\0\2ab\1\0\0\0\0\0\0\3c")
    assert split_frames(buffer) == b"ab"
    assert buffer == b"\1\0\0\0\0\0\0\3c"


def test_the_output_of_a_tty_has_no_frames() -> None:
    buffer = bytearray(b"ready for connections\r\n")
    assert split_frames(buffer) == b"ready for connections\r\n" and not buffer
