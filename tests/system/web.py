"""An HTTP client that tells an answer from a lost connection."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import figures
from client import Lost

PATIENCE = 60.0  # seconds


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    text: str
    address: str  # the client's own, as address:port


def get(
    where: int | str, path: str = "/", *, source: str = "", timeout: float = PATIENCE
) -> Answer:
    """GET on a new connection; raises Lost. where: a port of 127.0.0.1, or a unix socket's path."""
    figures.count("connections made")
    connection = http.client.HTTPConnection("127.0.0.1", timeout=timeout)
    try:
        connection.sock = _connect(where, source, timeout)
        name = connection.sock.getsockname()
        connection.request("GET", path, headers={"Connection": "close"})
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        raise Lost(f"GET {path} of {where}: {error!r}") from None
    finally:
        connection.close()
    address = f"{name[0]}:{name[1]}" if isinstance(where, int) else ""
    return Answer(
        answer.status, {key.lower(): value for key, value in answer.getheaders()}, text, address
    )


@contextmanager
def staying(port: int) -> Iterator[socket.socket]:
    """A connection that has had an answer, is kept open, and stays silent."""
    with _connect(port, "", PATIENCE) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: it\r\n\r\n")
        answer = http.client.HTTPResponse(sock)
        answer.begin()
        answer.read()
        yield sock


def _connect(where: int | str, source: str, timeout: float) -> socket.socket:
    if isinstance(where, int):
        return socket.create_connection(
            ("127.0.0.1", where), timeout, (source, 0) if source else None
        )
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(timeout)
    sock.connect(where)
    return sock
