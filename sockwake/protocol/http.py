"""HTTP, as far as a probe and a refusal need it (RFC 9110)."""

import _socket

_METHODS = (
    b"GET ",
    b"HEAD ",
    b"POST ",
    b"PUT ",
    b"DELETE ",
    b"OPTIONS ",
    b"PATCH ",
    b"TRACE ",
    b"CONNECT ",
    b"PRI * ",
)
_NOT_YET = (502, 503, 504)
_RETRY_AFTER = 5  # seconds


def ask(sock: _socket.socket, path: str) -> int:
    """The status a server answers GET path with on a fresh connection, 0 for none. Closes it."""
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: sockwake\r\nConnection: close\r\n\r\n"
    answer = b""
    try:
        sock.sendall(request.encode())
        while len(answer) < 12 and (chunk := sock.recv(4096)):
            answer += chunk
    except OSError:
        return 0
    finally:
        sock.close()
    status = answer[9:12]
    return (
        int(status)
        if answer.startswith(b"HTTP/1.") and len(status) == 3 and status.isdigit()
        else 0
    )


def is_ready(status: int) -> bool:
    """Whether a status is the word of a server that serves; one in front of another says 502 to 504 until that one does."""
    return status > 0 and status not in _NOT_YET


def begins(received: bytes) -> bool:
    """Whether this is the beginning of an HTTP request."""
    return any(received.startswith(method) for method in _METHODS)


def has_head(received: bytes) -> bool:
    """Whether the head of a request is complete."""
    return b"\r\n\r\n" in received or b"\n\n" in received


def unavailable(message: str) -> bytes:
    """An answer 503 that says why."""
    body = f"{message}\n".encode(errors="replace")
    head = (
        f"HTTP/1.1 503 Service Unavailable\r\nRetry-After: {_RETRY_AFTER}\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"Cache-Control: no-store\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
