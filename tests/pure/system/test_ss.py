"""Connections as ss prints them, and which clients have vanished."""

import shutil
import socket

import pytest

from sockwake.system import ss

SAID = (
    "ESTAB 0      {outstanding}    192.0.2.1:25432    192.0.2.2:54321 "
    "cubic wscale:10,10 rto:102400 backoff:9 rtt:0.2/0.1 "
    "bytes_sent:1 lastsnd:2000 lastrcv:3000 lastack:{lastack} pacing_rate 1Gbps unacked:1"
)


def at_port(listen: str, port: int) -> list[tuple[str, int]]:
    return [(item, port) for item in listen.split(",")]


@pytest.mark.parametrize(
    ("outstanding", "lastack", "gone"),
    [(1, 149_999, False), (1, 150_000, True), (0, 7_200_000, False)],
)
def test_a_client_with_old_unacknowledged_data_has_vanished_and_one_without_data_has_not(
    outstanding: int, lastack: int, gone: bool
) -> None:
    connection = ss.Connection(SAID.format(outstanding=outstanding, lastack=lastack))
    assert (connection.remote, connection.since_byte, connection.has_vanished) == (
        "192.0.2.2:54321",
        2.0,
        gone,
    )


@pytest.mark.parametrize(
    ("listen", "words"),
    [
        ("127.0.0.1", "( src 127.0.0.1:7 )"),
        ("::1,/run/s,127.0.0.2", "( src [::1]:7 or src 127.0.0.2:7 )"),
        ("0.0.0.0,::", "( src 0.0.0.0/0:7 or src [::/0]:7 )"),
        ("/run/s", ""),
        ("1.2", ""),
    ],
)
def test_ss_is_asked_for_the_addresses_of_the_instance(listen: str, words: str) -> None:
    assert " ".join(ss.at(at_port(listen, 7))) == words


def test_ss_is_asked_for_every_port_of_a_project() -> None:
    places = [("127.0.0.1", 80), ("::", 80), ("127.0.0.1", 2222)]
    assert " ".join(ss.at(places)) == "( src 127.0.0.1:80 or src [::/0]:80 or src 127.0.0.1:2222 )"


@pytest.mark.skipif(not shutil.which("ss"), reason="ss is not installed")
@pytest.mark.parametrize(
    ("listen", "found"),
    [
        ("127.0.0.1", {"127.0.0.1"}),
        ("::1", {"::1"}),
        ("::1,127.0.0.2", {"::1", "127.0.0.2"}),
        ("0.0.0.0", {"127.0.0.1", "127.0.0.2"}),
        ("::", {"::1"}),
        ("127.0.0.3", set()),
        ("/run/s", set()),
    ],
)
def test_connections_of_another_instance_at_that_port_are_not_told(
    listen: str, found: set[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as one:
        port = one.getsockname()[1]
        with (
            socket.create_server(("127.0.0.2", port)) as two,
            socket.create_server(("::1", port), family=socket.AF_INET6) as three,
            socket.create_connection(("127.0.0.1", port)) as a,
            socket.create_connection(("127.0.0.2", port)) as b,
            socket.create_connection(("::1", port)) as c,
        ):
            clients = {
                address: f"[{address}]:{sock.getsockname()[1]}"
                if ":" in address
                else f"127.0.0.1:{sock.getsockname()[1]}"
                for address, sock in (("127.0.0.1", a), ("127.0.0.2", b), ("::1", c))
            }
            theirs = {connection.remote for connection in ss.each(at_port(listen, port))}
            assert theirs == {clients[address] for address in found}
            assert ss.dropped(at_port(listen, port)) == 0
            assert {one, two, three}
