"""The ports of a project in instance.env: PORTS=ADDRESS:PORT=SERVICE:TARGET,…

Imported on the wake path of a project, so it imports next to nothing itself.
"""

from __future__ import annotations

from sockwake.config import values
from sockwake.errors import SockwakeError

_OF_A_SERVICE = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
_RULE = "write it as in 127.0.0.1:8080=web:80, with [ ] around an IPv6 address"


class Endpoint:
    """Where clients come to (address, port), and their server (target, a port of service)."""

    __slots__ = ("address", "port", "service", "target")

    def __init__(self, address: str, port: int, service: str, target: int) -> None:
        self.address = address
        self.port = port
        self.service = service
        self.target = target

    def __str__(self) -> str:
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{host}:{self.port}={self.service}:{self.target}"

    @property
    def backend(self) -> tuple[str, int]:
        return self.service, self.target


def parse(text: str) -> tuple[Endpoint, ...]:
    """The endpoints in the value of PORTS=; raises SockwakeError for what is none, or is twice."""
    found = tuple(_parse_one(item) for item in text.split(","))
    places = [(each.address, each.port) for each in found]
    if twice := next((place for place in places if places.count(place) > 1), None):
        raise SockwakeError(f"PORTS has port {twice[1]} at {twice[0]} twice")
    return found


def _parse_one(item: str) -> Endpoint:
    outside, _, inside = item.partition("=")
    host, _, port = outside.rpartition(":")
    service, _, target = inside.rpartition(":")
    is_ipv6 = host[:1] + host[-1:] == "[]" and ":" in host
    if not service or service.strip(_OF_A_SERVICE) or (":" in host) != is_ipv6:
        raise SockwakeError(f"'{item}' in PORTS is not a port", _RULE)
    address = host[1:-1] if is_ipv6 else host
    if address.startswith("/") or not address:
        raise SockwakeError(f"'{item}' in PORTS has no address", _RULE)
    return Endpoint(values.listen(address), values.port(port), service, values.port(target))
