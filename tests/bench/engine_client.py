"""The container engine's API without any code of sockwake: the floor is measured with it."""

from __future__ import annotations

import json
import socket
from typing import Any

SOCKET = "/run/docker.sock"
TIMEOUT_S = 60.0


class EngineError(Exception):
    """The engine answered with an error."""


def begin(method: str, target: str) -> socket.socket:
    """Send a request; its answer will come on the returned connection."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(TIMEOUT_S)
    sock.connect(SOCKET)
    sock.sendall(
        f"{method} {target} HTTP/1.0\r\nHost: engine\r\nContent-Length: 0\r\n\r\n".encode()
    )
    return sock


def finish(sock: socket.socket) -> bytes:
    """The body of the answer; raises EngineError for a status of 400 or more."""
    with sock:
        answer = b"".join(iter(lambda: sock.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    if int(head.split(b" ", 2)[1]) >= 400:
        raise EngineError(body.decode(errors="replace").strip())
    return body


def running() -> list[dict[str, Any]]:
    """The containers that run."""
    return list(json.loads(finish(begin("GET", "/containers/json"))))


def stop(container: str) -> None:
    """Stop a container, and wait until it has stopped."""
    finish(begin("POST", f"/containers/{container}/stop"))
