"""PostgreSQL's protocol: messages to send, and the verdict on an answer."""

import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from error_response import fields_of
from sockwake.postgres import postmaster
from sockwake.protocol import postgres

TEXT = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"))


def message(kind: bytes, body: bytes) -> bytes:
    return kind + (len(body) + 4).to_bytes(4, "big") + body


@given(TEXT)
def test_a_refusal_is_an_error_that_ends_the_connection(text: str) -> None:
    assert fields_of(postgres.fatal(text)) == {"S": "FATAL", "V": "FATAL", "C": "57P03", "M": text}


@given(st.text())
def test_a_refusal_stays_whole_whatever_its_reason_contains(text: str) -> None:
    assert fields_of(postgres.fatal(text)).keys() == {"S", "V", "C", "M"}


@given(TEXT, TEXT)
def test_a_startup_message_has_user_and_database(user: str, database: str) -> None:
    sent = postgres.startup_message(user, database)
    assert int.from_bytes(sent[:4], "big") == len(sent)
    assert sent[4:8] == b"\0\3\0\0" and sent.endswith(b"\0\0")
    assert [text.decode() for text in sent[8:-2].split(b"\0")] == [
        "user",
        user,
        "database",
        database,
    ]


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (message(b"R", b"\0\0\0\0"), postgres.TRUSTS),
        (message(b"R", b"\0\0\0\0") + message(b"S", b"server_version\018\0"), postgres.TRUSTS),
        (message(b"R", b"\0\0\0\3"), postgres.ASKS),
        (message(b"R", b"\0\0\0\5salt"), postgres.ASKS),
        (message(b"R", b"\0\0\0\12SCRAM-SHA-256\0\0"), postgres.ASKS),
        (message(b"E", b"SFATAL\0C57P03\0Mstarting up\0\0"), postgres.STARTING),
        (postgres.fatal("not yet"), postgres.STARTING),
        (message(b"E", b"SFATAL\0C53300\0Mtoo many clients, C57P03\0\0"), postgres.REFUSES),
        (message(b"E", b"SFATAL\0C28000\0Mno pg_hba.conf entry\0\0"), postgres.REFUSES),
        (b"", postgres.SILENT),
        (b"R", postgres.SILENT),
        (b"R\0\0\0\10\0\0", postgres.SILENT),
        (b"HTTP/1.1 400 Bad Request\r\n", postgres.SILENT),
    ],
)
def test_the_first_message_decides(answer: bytes, verdict: str) -> None:
    assert postgres.verdict(answer) == verdict


@given(st.binary())
def test_only_authentication_ok_means_trust(answer: bytes) -> None:
    assert (postgres.verdict(answer) == postgres.TRUSTS) == (
        answer[:1] == b"R" and answer[5:9] == b"\0\0\0\0"
    )


def test_asking_sends_the_startup_message_and_reads_the_answer() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.sendall(message(b"R", b"\0\0\0\12SCRAM-SHA-256\0\0"))
        assert postgres.ask(ours, "me", "mine") == postgres.ASKS
        assert theirs.recv(1000) == postgres.startup_message("me", "mine")
        assert theirs.recv(1000) == b"", "it has closed its end"


def test_a_server_that_does_not_answer_or_has_closed_is_silent() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        ours.settimeout(0.05)
        assert postgres.ask(ours, "me", "mine") == postgres.SILENT
    ours, theirs = socket.socketpair()
    theirs.close()
    assert postgres.ask(ours, "me", "mine") == postgres.SILENT


def test_a_socket_without_a_listener_has_none(tmp_path: Path) -> None:
    assert postmaster.listener(f"{tmp_path}/s") == 0


def test_the_listener_is_found_by_its_process(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(f"{tmp_path}/s")
        door.listen()
        assert postmaster.listener(f"{tmp_path}/s") == os.getpid()


def test_no_process_of_the_host_is_process_1_of_a_container() -> None:
    assert not postmaster.is_main_process(os.getpid())
    assert not postmaster.is_main_process(0)
    assert not postmaster.is_main_process(2**22 + 1)


@pytest.mark.parametrize(
    ("state", "settled"),
    [("ready   ", True), ("standby ", True), ("starting", False), ("stopping", False), ("", False)],
)
def test_a_server_is_settled_when_its_pid_file_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: str, settled: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "postmaster.pid").write_text(f"1\n/data\n1\n5432\n/run\n\n  1 0\n{state}\n")
    assert postmaster.is_settled(os.getpid()) == settled


def test_a_server_whose_pid_file_is_half_written_is_not_settled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert not postmaster.is_settled(os.getpid())
    (tmp_path / "postmaster.pid").write_text("1\n/data\n")
    assert not postmaster.is_settled(os.getpid())
