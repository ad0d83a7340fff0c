"""Who has vanished is read from what ss says of his connection."""

import shutil
import socket

import pytest

from sockwake import tcp

SAID = ("0      {outstanding}    192.0.2.1:25432    192.0.2.2:54321 cubic wscale:10,10 rto:102400 backoff:9 rtt:0.2/0.1 "
        "bytes_sent:1 lastsnd:2000 lastrcv:3000 lastack:{lastack} pacing_rate 1Gbps unacked:1")


@pytest.mark.parametrize(("outstanding", "lastack", "gone"), [(1, 149_999, False), (1, 150_000, True), (0, 7_200_000, False)])
def test_who_has_acknowledged_nothing_for_long_has_vanished_and_who_owes_nothing_has_not(outstanding: int, lastack: int, gone: bool) -> None:
    connection = tcp.Connection(SAID.format(outstanding=outstanding, lastack=lastack))
    assert (connection.remote, connection.since_byte, connection.has_vanished) == ("192.0.2.2:54321", 2.0, gone)


@pytest.mark.skipif(not shutil.which("ss"), reason="ss is not installed")
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_real_connection_is_found_with_what_is_outstanding(address: str) -> None:
    with socket.create_server((address, 0), family=socket.AF_INET6 if ":" in address else socket.AF_INET) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection((address, port)) as client, listener.accept()[0] as server:
            found, = tcp.each(port)
            host, number = client.getsockname()[:2]
            assert found.remote == (f"[{host}]:{number}" if ":" in host else f"{host}:{number}")
            assert found.outstanding == 0 and found.since_ack < 10 and found.since_byte < 10
            server.setblocking(False)
            server.send(bytes(4 << 20))
            found, = tcp.each(port)
            assert found.outstanding > 0 and not found.has_vanished
    assert list(tcp.each(port)) == []
