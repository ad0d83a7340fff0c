"""HTTP, as far as a probe and a refusal need it (RFC 9110)."""

import _socket

_METHODS = b"GET HEAD POST PUT DELETE OPTIONS PATCH TRACE CONNECT".split()
_BEGINNINGS = (b"PRI * ", *(method + b" " for method in _METHODS))  # PRI: HTTP/2
_NOT_YET = (502, 503, 504)
_RETRY_AFTER = 5  # seconds
_STATUS_ENDS = 12  # bytes: "HTTP/1.1 200"


def request(path: str, host: str = "") -> bytes:
    """A request for a path, as a probe sends it. host: which of the server's names it asks for."""
    return (
        f"GET {path} HTTP/1.1\r\n"
        f"Host: {host or 'localhost'}\r\nUser-Agent: sockwake\r\nConnection: close\r\n\r\n"
    ).encode()


def may_be_cut(answer: bytes) -> bool:
    """Whether the bytes may be the beginning of an answer that has its status further on."""
    return len(answer) < _STATUS_ENDS and answer[:7] == b"HTTP/1."[: len(answer)]


def status_of(answer: bytes) -> int:
    """The status of an answer, 0 for what is none."""
    status = answer[9:_STATUS_ENDS]
    has_status = answer.startswith(b"HTTP/1.") and len(status) == 3 and status.isdigit()
    return int(status) if has_status else 0


def ask(sock: _socket.socket, path: str) -> int:
    """Send GET path on a fresh connection and return the status, 0 for no answer. Closes it."""
    answer = b""
    try:
        sock.sendall(request(path))
        while may_be_cut(answer) and (chunk := sock.recv(4096)):
            answer += chunk
    except OSError:
        return 0
    finally:
        sock.close()
    return status_of(answer)


def is_ready(status: int) -> bool:
    """Whether a status is from a server that serves; a reverse proxy answers 502 to 504 before."""
    return status > 0 and status not in _NOT_YET


def begins(received: bytes) -> bool:
    """Whether the bytes begin an HTTP request."""
    return received.startswith(_BEGINNINGS)


def has_head(received: bytes) -> bool:
    """Whether the head of a request is complete."""
    return b"\r\n\r\n" in received or b"\n\n" in received


def unavailable(message: str) -> bytes:
    """A response 503 with a message for its reader."""
    body = f"{message}\n".encode(errors="replace")
    head = (
        f"HTTP/1.1 503 Service Unavailable\r\nRetry-After: {_RETRY_AFTER}\r\n"
        "Content-Type: text/plain; charset=utf-8\r\nCache-Control: no-store\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
