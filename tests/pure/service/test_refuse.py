"""The program that tells waiting clients why: run as systemd runs it, with a listening socket on descriptor 3."""

import contextlib
import os
import select
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from error_response import fields_of
from sockwake.protocol import postgres
from sockwake.service import refuse
from tree import SOURCE, Ran

REASON = "image postgres:18 is not on this machine"
SENTENCE = f'sockwake: instance "pg1" cannot start: {REASON} (journalctl -u pg-postgres@pg1)'
STARTUP = postgres.startup_message("me", "mine")
SSL = b"\0\0\0\x08" + postgres.SSL_REQUEST
GSS = b"\0\0\0\x08" + postgres.GSS_REQUEST
PATIENCE = 5  # seconds; what bin/refuse allows all its clients together
SLACK = 15  # seconds for a busy machine
# what systemd does between fork and exec
ACTIVATE = "import os, sys; os.dup2(int(sys.argv[1]), 3); os.environ['LISTEN_FDS'] = '1'; os.execv(sys.argv[2], sys.argv[2:])"

needs_psql = pytest.mark.skipif(not shutil.which("psql"), reason="psql is not installed")


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen(512)
        yield sock


@pytest.fixture
def failure(tmp_path: Path) -> Path:
    path = tmp_path / "failure"
    path.write_text(f"{REASON}\n")
    return path


def start(listener: socket.socket, failure: Path) -> "subprocess.Popen[str]":
    fd = listener.fileno()
    argv = [
        sys.executable,
        "-c",
        ACTIVATE,
        str(fd),
        sys.executable,
        "-IS",
        str(SOURCE / "bin/refuse"),
        "pg1",
        str(failure),
    ]
    return subprocess.Popen(
        argv,
        pass_fds=(fd,),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end(process: "subprocess.Popen[str]") -> Ran:
    """Wait for its end, which comes on its own account soon after its patience."""
    try:
        stdout, stderr = process.communicate(timeout=PATIENCE + SLACK)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise
    return Ran(("refuse",), process.returncode, stdout, stderr)


def connect(listener: socket.socket, *said: bytes) -> socket.socket:
    """A client in the queue that has said these things already."""
    sock = socket.create_connection(listener.getsockname(), SLACK)
    for piece in said:
        sock.sendall(piece)
    return sock


def read_all(sock: socket.socket) -> bytes:
    answer = b""
    while chunk := sock.recv(4096):
        answer += chunk
    sock.close()
    return answer


def test_a_client_reads_the_reason_and_the_program_ends(
    listener: socket.socket, failure: Path
) -> None:
    client = connect(listener, STARTUP)
    ran = end(start(listener, failure))
    assert fields_of(read_all(client)) == {"S": "FATAL", "V": "FATAL", "C": "57P03", "M": SENTENCE}
    assert (ran.status, ran.stdout, ran.stderr) == (0, "", f"refused 1 client: {SENTENCE}\n")


@pytest.mark.parametrize("asked", [SSL, GSS, GSS + SSL])
def test_encryption_is_declined_first(listener: socket.socket, failure: Path, asked: bytes) -> None:
    client = connect(listener, asked)
    process = start(listener, failure)
    for _ in range(len(asked) // 8):
        assert client.recv(1) == b"N"
    client.sendall(STARTUP)
    assert fields_of(read_all(client))["M"] == SENTENCE
    assert end(process).status == 0


def test_a_startup_message_that_comes_byte_by_byte_is_answered(
    listener: socket.socket, failure: Path
) -> None:
    client = connect(listener)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    process = start(listener, failure)
    for position in range(len(STARTUP)):
        client.sendall(STARTUP[position : position + 1])
    assert fields_of(read_all(client))["M"] == SENTENCE
    assert end(process).status == 0


REQUEST = b"GET /shop?q=1 HTTP/1.1\r\nHost: shop\r\nAccept: */*\r\n\r\n"


def require_unavailable(answer: bytes) -> None:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 Service Unavailable\r\n") and b"\r\nRetry-After: " in head
    assert body.decode() == f"{SENTENCE}\n"


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
    process = start(listener, failure)
    require_unavailable(read_all(client))
    ran = end(process)
    assert (ran.status, ran.stdout, ran.stderr) == (0, "", f"refused 1 client: {SENTENCE}\n")


def test_a_request_that_comes_byte_by_byte_is_answered_when_it_is_whole(
    listener: socket.socket, failure: Path
) -> None:
    """An earlier answer would be lost in the reset that the rest of the request meets."""
    client = connect(listener)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    process = start(listener, failure)
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
    process = start(listener, failure)
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
    ran = end(start(listener, failure))
    assert (ran.status, "Traceback" in ran.stderr) == (0, False)
    with contextlib.suppress(ConnectionResetError):  # it sent more than the program wanted to know
        assert read_all(client) == b""


def test_clients_of_both_kinds_are_each_told_in_their_own_words(
    listener: socket.socket, failure: Path
) -> None:
    clients = [connect(listener, STARTUP if number % 2 else REQUEST) for number in range(50)]
    process = start(listener, failure)
    for number, client in enumerate(clients):
        answer = read_all(client)
        if number % 2:
            assert fields_of(answer)["M"] == SENTENCE
        else:
            require_unavailable(answer)
    assert end(process).stderr == f"refused 50 clients: {SENTENCE}\n"


def test_it_can_be_told_the_sentence_itself(listener: socket.socket) -> None:
    """So does bin/native, which has no proxy in front of it."""
    client = connect(listener, REQUEST)
    fd = listener.fileno()
    argv = [
        sys.executable,
        "-c",
        ACTIVATE,
        str(fd),
        sys.executable,
        "-IS",
        str(SOURCE / "bin/refuse"),
        "--because",
        SENTENCE,
    ]
    process = subprocess.Popen(
        argv,
        pass_fds=(fd,),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    require_unavailable(read_all(client))
    assert end(process).stderr == f"refused 1 client: {SENTENCE}\n"


def test_a_client_that_has_closed_its_half_still_reads_the_reason(
    listener: socket.socket, failure: Path
) -> None:
    client = connect(listener, STARTUP)
    client.shutdown(socket.SHUT_WR)
    assert end(start(listener, failure)).status == 0
    assert fields_of(read_all(client))["M"] == SENTENCE


def test_with_nobody_in_the_queue_it_ends_at_once(listener: socket.socket, failure: Path) -> None:
    ran = end(start(listener, failure))
    assert (ran.status, ran.stderr) == (0, f"refused 0 clients: {SENTENCE}\n")


@pytest.mark.parametrize("content", [None, b"", b"\n"])
def test_without_a_reason_it_says_that_the_start_failed(
    listener: socket.socket, failure: Path, content: bytes | None
) -> None:
    failure.unlink()
    if content is not None:
        failure.write_bytes(content)
    client = connect(listener, STARTUP)
    assert end(start(listener, failure)).status == 0
    assert fields_of(read_all(client))["M"] == SENTENCE.replace(REASON, "its start failed")


def test_a_reason_that_is_no_text_is_told_all_the_same(
    listener: socket.socket, failure: Path
) -> None:
    failure.write_bytes(b"its container ended: \0\xff" + b"x" * 5000)
    client = connect(listener, STARTUP)
    ran = end(start(listener, failure))
    assert ran.status == 0 and "Traceback" not in ran.stderr
    assert fields_of(read_all(client))["M"].startswith(
        'sockwake: instance "pg1" cannot start: its container ended:  �xxx'
    )


def test_two_hundred_clients_all_read_the_reason(listener: socket.socket, failure: Path) -> None:
    clients = [connect(listener, STARTUP) for _ in range(200)]
    ran = end(start(listener, failure))
    assert {fields_of(read_all(client))["M"] for client in clients} == {SENTENCE}
    assert ran.stderr == f"refused 200 clients: {SENTENCE}\n"


def test_a_unix_socket_is_served_like_a_port(tmp_path: Path, failure: Path) -> None:
    with socket.socket(socket.AF_UNIX) as door, socket.socket(socket.AF_UNIX) as client:
        door.bind(f"{tmp_path}/s")
        door.listen()
        client.connect(f"{tmp_path}/s")
        client.sendall(STARTUP)
        assert end(start(door, failure)).status == 0
        assert fields_of(read_all(client))["M"] == SENTENCE


def test_bad_neighbours_delay_nobody_and_it_ends_in_time(
    listener: socket.socket, failure: Path
) -> None:
    """One who says nothing, one who says half, one who is gone, one who never stops talking, and an honest one."""
    with ExitStack() as held:
        for said in (b"", STARTUP[:5], b"\0\0\x27\x10", SSL * 3):
            held.enter_context(connect(listener, said))
        connect(listener).close()
        flood = held.enter_context(connect(listener, STARTUP))
        talker = threading.Thread(target=talk_for_ever, args=(flood,))
        talker.start()
        honest = connect(listener, STARTUP)
        process = start(listener, failure)
        assert fields_of(read_all(honest))["M"] == SENTENCE
        ran = end(process)
        assert ran.status == 0 and "Traceback" not in ran.stderr
    talker.join()


def talk_for_ever(sock: socket.socket) -> None:
    try:
        while True:
            sock.sendall(b"\0" * 65536)
    except OSError:
        pass


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=30),
            st.sampled_from([SSL, GSS, STARTUP, b"\0\0\x27\x11\0\3\0\0", b"\x16\3\1"]),
        ),
        max_size=5,
    )
)
def test_arbitrary_bytes_get_no_answer_or_the_one_there_is(pieces: list[bytes]) -> None:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen()
        client = connect(door, *pieces)
        client.shutdown(socket.SHUT_WR)
        assert refuse.refuse([door], "no") == 1
        try:
            answer = read_all(client)
        except ConnectionResetError:
            return  # it sent more than the program wanted to know
    assert answer.lstrip(b"N") in (b"", postgres.fatal("no"))
    assert answer.count(b"N") <= 1 + b"".join(pieces).count(b"\x04\xd2\x16")


@needs_psql
@pytest.mark.parametrize(
    "options",
    ["sslmode=prefer", "sslmode=disable", "sslmode=allow", "gssencmode=disable sslmode=prefer"],
)
def test_psql_prints_the_reason(listener: socket.socket, failure: Path, options: str) -> None:
    port = listener.getsockname()[1]
    dsn = f"host=127.0.0.1 port={port} user=me dbname=mine connect_timeout=20 {options}"
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": "/nonexistent"}
    psql = subprocess.Popen(
        ["psql", "--no-psqlrc", "--no-password", dsn],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert select.select([listener], [], [], 20)[0]
    process = start(listener, failure)
    _, said = psql.communicate(timeout=20)
    assert f"FATAL:  {SENTENCE}" in said and psql.returncode == 2
    assert end(process).status == 0
