"""PORTS= of a project: what it means, and what is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzz import cases
from sockwake.config import endpoint
from sockwake.errors import SockwakeError

ADDRESSES = st.sampled_from(["127.0.0.1", "0.0.0.0", "::", "::1", "2001:db8::7"])
SERVICES = st.from_regex(r"[a-zA-Z0-9._-]{1,12}", fullmatch=True)
PORTS = st.integers(1, 65535)


def test_it_is_read_in_order_with_an_ipv6_address_in_brackets() -> None:
    one, two = endpoint.parse("127.0.0.1:8080=web:80,[::1]:2222=git.a_b-c:22")
    assert (one.address, one.port, one.backend) == ("127.0.0.1", 8080, ("web", 80))
    assert (two.address, two.port, two.backend) == ("::1", 2222, ("git.a_b-c", 22))


@cases(100)
@given(ADDRESSES, PORTS, SERVICES, PORTS)
def test_what_is_written_is_read_again(address: str, port: int, service: str, target: int) -> None:
    written = str(endpoint.Endpoint(address, port, service, target))
    (read,) = endpoint.parse(written)
    assert (read.address, read.port, read.service, read.target) == (address, port, service, target)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'' in PORTS is not a port"),
        ("127.0.0.1:80=web:80,", "'' in PORTS is not a port"),
        ("127.0.0.1:80", "'127.0.0.1:80' in PORTS is not a port"),
        ("127.0.0.1:80=:80", "'127.0.0.1:80=:80' in PORTS is not a port"),
        ("127.0.0.1:80=w b:80", "'127.0.0.1:80=w b:80' in PORTS is not a port"),
        ("::1:80=web:80", "'::1:80=web:80' in PORTS is not a port"),
        ("[127.0.0.1]:80=web:80", "'[127.0.0.1]' is neither an IP address"),
        (":80=web:80", "':80=web:80' in PORTS has no address"),
        ("/run/s:80=web:80", "'/run/s:80=web:80' in PORTS has no address"),
        ("127.0.0.1:0=web:80", "port '0' is not a number from 1 to 65535"),
        ("127.0.0.1:80=web:080", "port '080' is not a number from 1 to 65535"),
        ("localhost:80=web:80", "'localhost' is neither an IP address"),
        ("::1=web:80", "'::1=web:80' in PORTS"),
        ("[::1]:80=a:1,[::1]:80=b:2", "PORTS has port 80 at ::1 twice"),
    ],
)
def test_what_is_none_is_refused(text: str, message: str) -> None:
    with pytest.raises(SockwakeError) as caught:
        endpoint.parse(text)
    assert caught.value.message.startswith(message)
