"""The program that tells waiting clients why, run as systemd runs it."""

import os
import select
import shutil
import socket
import subprocess
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from error_response import fields_of
from refusal import GSS, REASON, SENTENCE, SSL, STARTUP, connect, end, read_all, start
from sockwake.protocol import postgres
from sockwake.service import refuse

needs_psql = pytest.mark.skipif(not shutil.which("psql"), reason="psql is not installed")


def test_a_client_reads_the_reason_and_the_program_ends(
    listener: socket.socket, failure: Path
) -> None:
    client = connect(listener, STARTUP)
    ran = end(start(listener, "pg1", failure))
    assert fields_of(read_all(client)) == {"S": "FATAL", "V": "FATAL", "C": "57P03", "M": SENTENCE}
    assert (ran.status, ran.stdout, ran.stderr) == (0, "", f"refused 1 client: {SENTENCE}\n")


@pytest.mark.parametrize("asked", [SSL, GSS, GSS + SSL])
def test_encryption_is_declined_first(listener: socket.socket, failure: Path, asked: bytes) -> None:
    client = connect(listener, asked)
    process = start(listener, "pg1", failure)
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
    process = start(listener, "pg1", failure)
    for position in range(len(STARTUP)):
        client.sendall(STARTUP[position : position + 1])
    assert fields_of(read_all(client))["M"] == SENTENCE
    assert end(process).status == 0


def test_a_client_that_has_closed_its_half_still_reads_the_reason(
    listener: socket.socket, failure: Path
) -> None:
    client = connect(listener, STARTUP)
    client.shutdown(socket.SHUT_WR)
    assert end(start(listener, "pg1", failure)).status == 0
    assert fields_of(read_all(client))["M"] == SENTENCE


def test_with_an_empty_queue_it_ends_at_once(listener: socket.socket, failure: Path) -> None:
    ran = end(start(listener, "pg1", failure))
    assert (ran.status, ran.stderr) == (0, f"refused 0 clients: {SENTENCE}\n")


@pytest.mark.parametrize("content", [None, b"", b"\n"])
def test_without_a_reason_it_says_that_the_start_failed(
    listener: socket.socket, failure: Path, content: bytes | None
) -> None:
    failure.unlink()
    if content is not None:
        failure.write_bytes(content)
    client = connect(listener, STARTUP)
    assert end(start(listener, "pg1", failure)).status == 0
    assert fields_of(read_all(client))["M"] == SENTENCE.replace(REASON, "its start failed")


def test_a_reason_that_is_no_text_is_told_all_the_same(
    listener: socket.socket, failure: Path
) -> None:
    failure.write_bytes(b"its container ended: \0\xff" + b"x" * 5000)
    client = connect(listener, STARTUP)
    ran = end(start(listener, "pg1", failure))
    assert ran.status == 0 and "Traceback" not in ran.stderr
    assert fields_of(read_all(client))["M"].startswith(
        'sockwake: instance "pg1" cannot start: its container ended:  �xxx'
    )


def test_two_hundred_clients_all_read_the_reason(listener: socket.socket, failure: Path) -> None:
    clients = [connect(listener, STARTUP) for _ in range(200)]
    ran = end(start(listener, "pg1", failure))
    assert {fields_of(read_all(client))["M"] for client in clients} == {SENTENCE}
    assert ran.stderr == f"refused 200 clients: {SENTENCE}\n"


def test_a_unix_socket_is_served_like_a_port(tmp_path: Path, failure: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(f"{tmp_path}/s")
        server.listen()
        client.connect(f"{tmp_path}/s")
        client.sendall(STARTUP)
        assert end(start(server, "pg1", failure)).status == 0
        assert fields_of(read_all(client))["M"] == SENTENCE


def test_bad_neighbours_delay_no_client_and_it_ends_in_time(
    listener: socket.socket, failure: Path
) -> None:
    """One sends nothing, one half a message, one has left, one never stops sending."""
    with ExitStack() as held:
        for said in (b"", STARTUP[:5], b"\0\0\x27\x10", SSL * 3):
            held.enter_context(connect(listener, said))
        connect(listener).close()
        flood = held.enter_context(connect(listener, STARTUP))
        talker = threading.Thread(target=talk_for_ever, args=(flood,))
        talker.start()
        honest = connect(listener, STARTUP)
        process = start(listener, "pg1", failure)
        assert fields_of(read_all(honest))["M"] == SENTENCE
        ran = end(process)
        assert ran.status == 0 and "Traceback" not in ran.stderr
    talker.join()


def test_a_client_that_comes_later_is_left_for_a_new_attempt(
    listener: socket.socket, failure: Path
) -> None:
    """As one that tries again at once; it waits for nobody who says nothing."""
    with connect(listener), connect(listener, STARTUP) as first:
        process = start(listener, "pg1", failure)
        assert fields_of(read_all(first))["M"] == SENTENCE
        with connect(listener, STARTUP) as second:
            before = time.monotonic()
            ran = end(process)
            assert time.monotonic() - before < 3
            assert ran.stderr == f"refused 2 clients: {SENTENCE}\n"
            listener.settimeout(1)
            waiting, address = listener.accept()
            assert address == second.getsockname()
            waiting.close()


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
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        client = connect(server, *pieces)
        client.shutdown(socket.SHUT_WR)
        assert refuse.refuse([server], "no") == 1
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
    process = start(listener, "pg1", failure)
    _, said = psql.communicate(timeout=20)
    assert f"FATAL:  {SENTENCE}" in said and psql.returncode == 2
    assert end(process).status == 0
