"""The servers that clients of a forwarded instance may be led to: which of them is the leader.

No password is needed for that, and none is known: PostgreSQL tells whether it is a standby only to
those who have logged in. Patroni's REST API tells it to everyone, by a status: /primary is answered
with 200 by the leader alone, and HAProxy, as Patroni's own manual sets it up, asks the same. A node
that has become the leader says so while its server is still being promoted, and takes no writes;
then the text of the answer has the role of the server.
"""

from __future__ import annotations

import json
import socket
import threading
import time

from sockwake.config.forwarding import TCP, Check, Forwarding, Target
from sockwake.protocol import http

# what a server shows of itself: it is the one, it says that it is not, or it does not answer
LEADS, FOLLOWS, SILENT = "leads", "follows", "silent"
_PATIENCE = 2.0  # seconds for an answer
_LONGEST_ANSWER = 65536  # bytes


def look(forwarding: Forwarding) -> list[tuple[Target, str]]:
    """What each of the targets shows, in their order; all are asked at the same time."""
    found = [SILENT] * len(forwarding.targets)

    def ask(number: int, target: Target) -> None:
        found[number] = sight(target, forwarding.check)

    asked = [
        threading.Thread(target=ask, args=each, daemon=True)
        for each in enumerate(forwarding.targets)
    ]
    for thread in asked:
        thread.start()
    for thread in asked:
        thread.join(_PATIENCE + 1)  # a resolver may take longer
    return list(zip(forwarding.targets, list(found), strict=True))


def leader(forwarding: Forwarding) -> Target | None:
    """The first of the targets that leads, None when none does."""
    return next((target for target, shown in look(forwarding) if shown == LEADS), None)


def sight(target: Target, check: Check, address: str = "") -> str:
    """What one target shows. One that takes no connections of clients does not lead.

    address: the one of its name that is asked; there it has taken connections a moment ago, and is
    not troubled with one more.
    """
    if check.scheme == TCP:
        return LEADS if reached(target, address) else SILENT
    answer = _answer(target, check, address)
    if not (status := http.status_of(answer)):
        return SILENT
    is_it = status == 200 and not _is_being_promoted(answer)
    return LEADS if is_it and (address or reached(target)) else FOLLOWS


def reached(target: Target, address: str = "") -> str:
    """The address at which a target takes connections of clients, "" when it takes none.

    address: the only one that is tried; else all that its name has. This connection is closed
    before a byte is sent.
    """
    try:
        with socket.create_connection((address or target.host, target.port), _PATIENCE) as sock:
            return str(sock.getpeername()[0])
    except OSError:
        return ""


def addresses(target: Target) -> set[str]:
    """Those that its name has, by what this host asks; none when it has none, or nobody answers."""
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except OSError:
        return set()
    return {str(each[4][0]) for each in found}


def _is_being_promoted(answer: bytes) -> bool:
    """Whether an answer tells that the server behind it is a standby."""
    try:
        told = json.loads(answer.partition(b"\r\n\r\n")[2])
    except ValueError:
        return False
    return isinstance(told, dict) and told.get("role") == "replica"


def _answer(target: Target, check: Check, address: str) -> bytes:
    """What the check of a target is answered with, b"" for nothing."""
    try:
        plain = socket.create_connection((address or target.host, check.port), _PATIENCE)
    except OSError:
        return b""
    with plain:
        if check.scheme == "http":
            return _ask(plain, check.path)
        import ssl  # late: 10 ms, and 3 MB of memory

        # Like plain HTTP it is not verified: it tells where to lead a client, whose own TLS goes
        # through, and is verified by the client.
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        try:
            with context.wrap_socket(plain, server_hostname=target.host) as encrypted:
                return _ask(encrypted, check.path)
        except OSError:
            return b""


def _ask(sock: socket.socket, path: str) -> bytes:
    """The answer to GET path on a fresh connection, as far as it came."""
    answer = b""
    deadline = time.monotonic() + _PATIENCE
    try:
        sock.sendall(http.request(path))
        while len(answer) < _LONGEST_ANSWER and time.monotonic() < deadline:
            if not (chunk := sock.recv(4096)):
                break
            answer += chunk
    except OSError:
        pass
    return answer
