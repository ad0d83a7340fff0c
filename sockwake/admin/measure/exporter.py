"""Answer one request of Prometheus: sockwake-exporter@.service, for each connection to its socket.

systemd passes the connection as stdin and stdout. Nothing runs between two requests.
"""

import os
import select
import sys
import time

from sockwake.admin.measure import metrics
from sockwake.errors import SockwakeError, failure
from sockwake.protocol import http

_PATIENCE = 5.0  # seconds for the head of the request
_LONGEST_HEAD = 8192  # bytes
_PATH = "/metrics"


def main(_: list[str]) -> int:
    """exporter, with a connection as stdin and stdout. The status is for systemd alone."""
    os.umask(0o022)
    try:
        with os.fdopen(1, "wb") as out:
            out.write(answer(read_head(0)))
    except OSError:
        pass  # it has left
    return 0


def read_head(fd: int) -> bytes:
    """What comes up to the end of the head of a request, or up to the limits."""
    head, deadline = b"", time.monotonic() + _PATIENCE
    while not http.has_head(head) and len(head) < _LONGEST_HEAD:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([fd], [], [], left)[0]:
            break
        if not (chunk := os.read(fd, _LONGEST_HEAD)):
            break
        head += chunk
    return head


def answer(head: bytes) -> bytes:
    """The response to a request."""
    words = head.split(b"\r\n", 1)[0].decode("ascii", "replace").split(" ")
    if not http.has_head(head) or len(words) != 3 or not words[2].startswith("HTTP/1."):
        return _response("400 Bad Request", "this is no request that can be answered\n")
    method, target, _ = words
    if method not in ("GET", "HEAD"):
        return _response("405 Method Not Allowed", f"GET {_PATH}\n", "Allow: GET, HEAD\r\n")
    if target.partition("?")[0] != _PATH:
        return _response("404 Not Found", f"there is only {_PATH}\n")
    try:
        body = metrics.text()
    except (SockwakeError, OSError) as error:
        problem = failure(error)
        print(problem, file=sys.stderr)
        return _response("500 Internal Server Error", f"{problem.message}\n")
    whole = _response("200 OK", body, kind=metrics.CONTENT_TYPE)
    return whole.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if method == "HEAD" else whole


def _response(
    status: str, body: str, more: str = "", kind: str = "text/plain; charset=utf-8"
) -> bytes:
    content = body.encode(errors="replace")
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\n"
        f"{more}Connection: close\r\n\r\n"
    )
    return head.encode() + content
