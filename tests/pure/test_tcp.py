"""Who has vanished is read from what ss says of his connection."""

import pytest

from sockwake import tcp

SAID = ("ESTAB 0      {outstanding}    192.0.2.1:25432    192.0.2.2:54321 cubic wscale:10,10 rto:102400 backoff:9 rtt:0.2/0.1 "
        "bytes_sent:1 lastsnd:2000 lastrcv:3000 lastack:{lastack} pacing_rate 1Gbps unacked:1")


@pytest.mark.parametrize(("outstanding", "lastack", "gone"), [(1, 149_999, False), (1, 150_000, True), (0, 7_200_000, False)])
def test_who_has_acknowledged_nothing_for_long_has_vanished_and_who_owes_nothing_has_not(outstanding: int, lastack: int, gone: bool) -> None:
    connection = tcp.Connection(SAID.format(outstanding=outstanding, lastack=lastack))
    assert (connection.remote, connection.since_byte, connection.has_vanished) == ("192.0.2.2:54321", 2.0, gone)
