"""Probes of servers that are slow, silent or speak otherwise: what is found, when, how often."""

from __future__ import annotations

import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sockwake.errors import SockwakeError
from sockwake.lifecycle import readiness
from sockwake.lifecycle.probe import BUSY, READY, WRONG, Pace, judge
from sockwake.postgres import postmaster
from sockwake.system import namespaces

OK = b"HTTP/1.1 200 OK\r\n\r\n"
Serve = Callable[[socket.socket], None]


def wait(seconds: float, fd: int) -> None:
    select.select([fd] if fd >= 0 else [], [], [], seconds)


class Server:
    """A server on a unix socket, each connection in a thread. asked: how often."""

    def __init__(self, folder: Path, serve: Serve, late: float = 0.0) -> None:
        self.folder = folder
        self.asked = 0
        self._serve = serve
        self._listener = socket.socket(socket.AF_UNIX)
        threading.Timer(late, self._open).start()

    def _open(self) -> None:
        self._listener.bind(f"{self.folder}/socket")
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            self.asked += 1
            threading.Thread(target=self._answer, args=(client,), daemon=True).start()

    def _answer(self, client: socket.socket) -> None:
        with client:
            self._serve(client)

    def await_it(self, timeout: float, ready: str = "http:/") -> float:
        """The seconds that it took to be found ready."""
        settings: Any = SimpleNamespace(
            backend_port=0, ready=ready, probe_host="", start_timeout=timeout, socket_name="socket"
        )
        instance: Any = SimpleNamespace(backend=str(self.folder))
        began = time.monotonic()
        try:
            readiness.await_server(0, instance, settings, wait)
        finally:
            took = time.monotonic() - began
            assert took < timeout + 0.5, "START_TIMEOUT is overrun"
        return took


@pytest.fixture(autouse=True)
def no_queue(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(postmaster, "listener", lambda _: 0)
    yield


def refused(server: Server) -> SockwakeError:
    with pytest.raises(SockwakeError) as caught:
        server.await_it(1.2)
    assert "its server did not answer HTTP on socket socket within 1.2 s: " in str(caught.value)
    return caught.value


def test_a_first_page_that_takes_its_time_is_waited_for_on_one_connection(tmp_path: Path) -> None:
    def slowly(client: socket.socket) -> None:
        time.sleep(1.5)
        client.sendall(OK)

    server = Server(tmp_path, slowly)
    assert 1.5 <= server.await_it(5) < 1.9
    assert server.asked == 1


def test_a_server_that_never_says_anything_is_given_up_for_in_time(tmp_path: Path) -> None:
    error = refused(Server(tmp_path, lambda _: time.sleep(9)))
    assert "it accepted a connection and said nothing" in error.message
    assert "--start-timeout" in error.hint and "START_TIMEOUT=" in error.hint


def test_a_port_that_never_opens_is_named_so(tmp_path: Path) -> None:
    error = refused(Server(tmp_path, lambda _: None, late=60))
    assert "nothing accepted connections there" in error.message


@pytest.mark.parametrize(
    ("said", "seen", "hint"),
    [
        (b"", "it closed the connection without an answer", "--probe-host"),
        (b"HTTP/1.", "it closed the connection within its answer", "http:/PATH"),
        (b"\x15\x03\x01\x00\x02\x02\x46", "it asked for TLS", "--ready tcp"),
        (b"SSH-2.0-OpenSSH_10.0\r\n", "it speaks another protocol than HTTP", "--ready tcp"),
        (b"-ERR\r\n", "it speaks another protocol than HTTP", "--ready tcp"),
    ],
)
def test_what_was_seen_is_told_with_the_way_out(
    tmp_path: Path, said: bytes, seen: str, hint: str
) -> None:
    server = Server(tmp_path, lambda client: client.sendall(said))
    error = refused(server)
    assert (seen in error.message, hint in error.hint) == (True, True)
    assert "OpenSSH" not in error.message, "what a server says is for the administrator alone"
    assert ("OpenSSH" in error.said) == (b"OpenSSH" in said)
    assert server.asked < 30


def test_a_server_that_speaks_first_and_waits_is_known_at_once(tmp_path: Path) -> None:
    def greet(client: socket.socket) -> None:
        client.sendall(b"220 mail ESMTP\r\n")
        client.recv(1 << 16)
        client.recv(1)

    assert "another protocol" in refused(Server(tmp_path, greet)).message


def test_a_server_that_is_busy_is_asked_some_tens_of_times_and_handed_over(tmp_path: Path) -> None:
    server = Server(tmp_path, lambda client: client.sendall(OK.replace(b"200", b"503")))
    server.await_it(3)
    assert 10 < server.asked < 40


def test_a_server_that_opens_late_is_found_a_few_percent_later(tmp_path: Path) -> None:
    for late in (0.05, 0.5, 2.0):
        folder = tmp_path / str(late)
        folder.mkdir()
        took = []  # the quickest of three: others may be at work on this machine
        for attempt in "abc":
            (folder / attempt).mkdir()
            server = Server(folder / attempt, lambda client: client.sendall(OK), late)
            took.append(server.await_it(9))
        assert min(took) - late < 0.05 * late + 0.05


def test_one_socket_serves_for_all_looks_at_a_closed_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each that is opened is twice a change of the network namespace, half of what a look costs."""
    opened: list[socket.socket] = []

    def stream_in(_: int) -> socket.socket:
        opened.append(socket.socket())
        return opened[-1]

    monkeypatch.setattr(namespaces, "stream_in", stream_in)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        threading.Timer(0.5, listener.listen).start()
        settings: Any = SimpleNamespace(
            backend_port=listener.getsockname()[1],
            ready="tcp",
            probe_host="",
            start_timeout=9,
            socket_name="",
        )
        instance: Any = SimpleNamespace(backend="")
        readiness.await_server(0, instance, settings, wait)
    assert len(opened) == 1


def test_a_start_of_any_length_costs_some_hundred_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    for figures, most in (
        (readiness._LOOKS, 1000),
        (readiness._KNOCKS, 700),
        (readiness._QUESTIONS, 130),
    ):
        looks, now = 0, 0.0
        pace = Pace(*figures)
        while now < 90:
            looks += 1
            now += pace.pause()
        assert looks < most


@pytest.mark.parametrize(
    ("answer", "state"),
    [(OK, READY), (b"HTTP/1.0 404 x", READY), (b"HTTP/1.1 503 x", BUSY), (b"\0", WRONG)],
)
def test_an_answer_is_judged_by_its_status(answer: bytes, state: str) -> None:
    assert judge(answer).state == state
