"""The program that leads clients of a forwarded instance, run as systemd runs it."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from error_response import fields_of
from refusal import STARTUP, read_all
from servers import Server
from sockwake.config.forwarding import Forwarding
from sockwake.lifecycle import targets
from sockwake.service import forward
from tree import SOURCE

SLACK = 20  # seconds for a busy machine
pytestmark = pytest.mark.skipif(
    not Path(forward._PROXY).exists(), reason="systemd-socket-proxyd is not installed"
)
# what systemd does between fork and exec; the seconds that a client waits are a test's, and so are
# the addresses of a name that ends in .test: the lines of a file
_ACTIVATE = f"""import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
sys.path.insert(0, {str(SOURCE)!r})
sys.argv[0] = {str(SOURCE / "bin/forward")!r}
from sockwake.service import forward
forward._LEADER_WITHIN = float(sys.argv[2])
forward._WATCH_TCP_EVERY = 1
import socket
resolved = socket.getaddrinfo
def resolve(host, *rest, **named):
    if not host.endswith(".test"):
        return resolved(host, *rest, **named)
    with open(sys.argv[3]) as file:
        found = [each for line in file for each in resolved(line.strip(), *rest, **named)]
    if not found:
        raise socket.gaierror(socket.EAI_AGAIN, "no resolver answers")
    return found
socket.getaddrinfo = resolve
sys.exit(forward.main(["pg1"]))
"""


class Forwarded:
    """The port of an instance, and what leads its clients."""

    def __init__(self, stack: ExitStack) -> None:
        self.listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        self.stack = stack

    def start(
        self, text: str, patience: float = SLACK, names: Path = Path("/dev/null")
    ) -> "subprocess.Popen[str]":
        fd = self.listener.fileno()
        process = subprocess.Popen(
            [sys.executable, "-ISBc", _ACTIVATE, str(fd), str(patience), str(names)],
            pass_fds=(fd,),
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.stack.callback(self._end, process)
        assert process.stdin
        process.stdin.write(text)
        process.stdin.close()
        return process

    def connect(self) -> socket.socket:
        client = socket.create_connection(self.listener.getsockname(), SLACK)
        return self.stack.enter_context(client)

    @staticmethod
    def _end(process: "subprocess.Popen[str]") -> None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        process.wait()


@pytest.fixture
def forwarded() -> Iterator[Forwarded]:
    with ExitStack() as stack:
        yield Forwarded(stack)


@pytest.fixture
def three() -> Iterator[list[Server]]:
    """Three servers, of which the second leads."""
    first = Server("127.0.0.11", status=503)
    others = [Server(f"127.0.0.{n}", first.port, first.rest, 503) for n in (12, 13)]
    others[0].status = 200
    yield [first, *others]
    for each in (first, *others):
        each.end()


def text_for(servers: list[Server], check: str = "") -> str:
    check = check or f"http:{servers[0].rest}/primary"
    return Forwarding([str(each) for each in servers], check).text


def hears(client: socket.socket, name: str) -> bool:
    """Whether a client is greeted by the server with this address, and gets its echo."""
    heard = client.recv(len(name))
    client.sendall(b"x")
    return heard == name.encode() and client.recv(1) == b"x"


def one_that_waits(forwarded: Forwarded) -> socket.socket:
    """A client that is not served; those before it are still sent to what has just gone."""
    for _ in range(SLACK):
        client = forwarded.connect()
        client.settimeout(1.5)
        try:
            assert client.recv(1) == b""
        except TimeoutError:
            client.settimeout(SLACK)
            return client
        time.sleep(0.3)
    raise AssertionError("every client was served")


def test_clients_are_led_to_the_one_that_leads(forwarded: Forwarded, three: list[Server]) -> None:
    clients = [forwarded.connect() for _ in range(3)]
    forwarded.start(text_for(three))
    assert all(hears(client, "127.0.0.12") for client in clients)
    assert hears(forwarded.connect(), "127.0.0.12")


def test_one_that_does_not_lead_any_more_loses_its_clients_to_the_next(
    forwarded: Forwarded, three: list[Server]
) -> None:
    client = forwarded.connect()
    forwarded.start(text_for(three))
    assert hears(client, "127.0.0.12")
    three[1].status, three[2].status = 503, 200
    assert client.recv(1) == b""
    assert hears(forwarded.connect(), "127.0.0.13")


def test_while_none_leads_a_client_waits_and_is_served_by_the_next_that_does(
    forwarded: Forwarded, three: list[Server]
) -> None:
    client = forwarded.connect()
    forwarded.start(text_for(three))
    assert hears(client, "127.0.0.12")
    three[1].end()
    assert client.recv(1) == b""
    waiting = one_that_waits(forwarded)
    three[0].status = 200
    assert hears(waiting, "127.0.0.11")


def test_one_whose_patroni_says_nothing_keeps_its_clients_while_no_other_leads(
    forwarded: Forwarded,
) -> None:
    server = Server("127.0.0.14")
    client = forwarded.connect()
    forwarded.start(text_for([server, Server("127.0.0.15", server.port, server.rest, 503)]))
    assert hears(client, "127.0.0.14")
    server._listeners[1].shutdown(socket.SHUT_RDWR)
    server._listeners[1].close()
    time.sleep(3)  # two looks
    client.sendall(b"y")
    assert client.recv(1) == b"y"
    server.end()


def test_who_has_waited_in_vain_is_told_in_postgresql_s_words(
    forwarded: Forwarded, three: list[Server]
) -> None:
    three[1].status = 503
    client = forwarded.connect()
    client.sendall(STARTUP)
    process = forwarded.start(text_for(three), patience=0.5)
    told = fields_of(read_all(client))["M"]
    assert told == "sockwake: instance 'pg1' is forwarded to 3 servers, none of which leads (0.5 s)"
    assert process.wait(SLACK) == 0


def test_a_single_server_that_is_down_is_waited_for(forwarded: Forwarded) -> None:
    gone = Server("127.0.0.16", status=None)
    gone.end()
    client = forwarded.connect()
    forwarded.start(f"TARGETS={gone}\nCHECK=tcp\n")
    client.settimeout(1)
    with pytest.raises(TimeoutError):
        client.recv(1)
    client.settimeout(SLACK)
    back = Server("127.0.0.16", gone.port, status=None)
    assert hears(client, "127.0.0.16")
    back.end()


@pytest.mark.parametrize(("host", "name"), [("::1", "[::1]"), ("127.0.0.1", "localhost")])
def test_any_address_of_a_name_is_tried(forwarded: Forwarded, host: str, name: str) -> None:
    server = Server(host, status=None)
    client = forwarded.connect()
    forwarded.start(f"TARGETS={name}:{server.port}\n")
    assert hears(client, host)
    server.end()


@pytest.mark.parametrize("status", [None, 200], ids=["tcp", "http"])
def test_a_name_that_resolves_no_more_cuts_no_client_and_its_dead_address_is_left(
    forwarded: Forwarded, tmp_path: Path, status: int | None
) -> None:
    one = Server("127.0.0.17", status=status)
    other = Server("127.0.0.18", one.port, one.rest, status)
    names = tmp_path / "names"
    names.write_text("127.0.0.17\n127.0.0.18\n")
    client = forwarded.connect()
    check = f"http:{one.rest}/primary" if status else "tcp"
    forwarded.start(f"TARGETS=db.test:{one.port}\nCHECK={check}\n", names=names)
    assert hears(client, "127.0.0.17")
    names.write_text("")
    time.sleep(3)  # two looks
    client.sendall(b"y")
    assert client.recv(1) == b"y"
    names.write_text("127.0.0.17\n127.0.0.18\n")
    one.end()
    assert client.recv(1) == b""
    for _ in range(SLACK):  # until it is seen that the address is dead
        if heard := forwarded.connect().recv(10):
            break
        time.sleep(0.5)
    assert heard == b"127.0.0.18"
    other.end()


def test_without_a_client_it_ends_at_once(forwarded: Forwarded, three: list[Server]) -> None:
    assert forwarded.start(text_for(three)).wait(SLACK) == 0


def test_a_broken_file_is_told_to_the_client(forwarded: Forwarded) -> None:
    client = forwarded.connect()
    client.sendall(STARTUP)
    assert forwarded.start("nonsense\n").wait(SLACK) == 0
    assert "the file forward of 'pg1':1 is not KEY=value" in fields_of(read_all(client))["M"]


def test_one_that_is_still_being_promoted_does_not_lead(three: list[Server]) -> None:
    wanted = Forwarding([str(each) for each in three], f"http:{three[0].rest}/primary")
    three[1].role = "replica"
    assert targets.leader(wanted) is None
    three[1].role = "primary"
    assert str(targets.leader(wanted)) == str(three[1])


def test_each_server_is_told_for_what_it_shows(three: list[Server]) -> None:
    three[2].end()
    wanted = Forwarding([str(each) for each in three], f"http:{three[0].rest}/primary")
    assert [word for _, word in targets.look(wanted)] == ["follows", "leads", "silent"]
    by_tcp = Forwarding([str(each) for each in three[::-1]], "tcp")
    assert [word for _, word in targets.look(by_tcp)] == ["silent", "leads", "leads"]
    assert str(targets.leader(by_tcp)) == str(three[1])
