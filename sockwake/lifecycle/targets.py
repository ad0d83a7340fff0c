"""The servers that clients of a forwarded instance may be led to: which of them is the leader.

No password is needed for that, and none is known: PostgreSQL tells whether it is a standby only to
those who have logged in. Patroni's REST API tells it to everyone, by a status: /primary is answered
with 200 by the leader alone, and HAProxy, as Patroni's own manual sets it up, asks the same.
"""

from __future__ import annotations

import socket
import threading

from sockwake.config.forwarding import TCP, Check, Forwarding, Target
from sockwake.protocol import http

# what a server shows of itself: it is the one, it says that it is not, or it does not answer
LEADS, FOLLOWS, SILENT = "leads", "follows", "silent"
_PATIENCE = 2.0  # seconds for an answer


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


def sight(target: Target, check: Check, *, is_known: bool = False) -> str:
    """What one target shows. One that takes no connections of clients does not lead.

    is_known: it has taken connections a moment ago, and is not troubled with one more.
    """
    if check.scheme == TCP:
        return LEADS if reached(target) else SILENT
    status = _status(target, check)
    if not status:
        return SILENT
    return LEADS if status == 200 and (is_known or reached(target)) else FOLLOWS


def reached(target: Target) -> str:
    """The address at which a target takes connections of clients, "" when it takes none.

    This one is closed before a byte is sent.
    """
    try:
        with socket.create_connection((target.host, target.port), _PATIENCE) as sock:
            return str(sock.getpeername()[0])
    except OSError:
        return ""


def _status(target: Target, check: Check) -> int:
    """The status that the check of a target is answered with, 0 for none."""
    try:
        plain = socket.create_connection((target.host, check.port), _PATIENCE)
    except OSError:
        return 0
    if check.scheme == "http":
        return http.ask(plain, check.path)
    import ssl  # late: 10 ms, and 3 MB of memory

    # Like plain HTTP it is not verified: it tells where to lead a client, whose own TLS goes
    # through, and is verified by the client.
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with plain:
        try:
            encrypted = context.wrap_socket(plain, server_hostname=target.host)
        except OSError:
            return 0
        return http.ask(encrypted, check.path)
