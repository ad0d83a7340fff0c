"""PostgreSQL's frontend/backend protocol, as far as a probe and a refusal need it.

Source: PostgreSQL documentation, "Message Formats" and "Message Flow: Start-up".
"""

import _socket

# what a server answers to a StartupMessage without a password
ASKS = "asks for a password"
TRUSTS = "accepts connections without a password"
STARTING = "is starting up"
REFUSES = "answers with an error"
SILENT = "does not answer"

_PROTOCOL_3 = (3 << 16).to_bytes(4, "big")
SSL_REQUEST = (80877103).to_bytes(4, "big")
GSS_REQUEST = (80877104).to_bytes(4, "big")
_CANNOT_CONNECT_NOW = b"57P03"


def startup_message(user: str, database: str) -> bytes:
    """A StartupMessage of protocol 3.0."""
    texts = ("user", user, "database", database)
    fields = b"".join(text.encode() + b"\0" for text in texts) + b"\0"
    return (len(fields) + 8).to_bytes(4, "big") + _PROTOCOL_3 + fields


def fatal(message: str) -> bytes:
    """An ErrorResponse 57P03 that ends the connection, as a server sends while it starts up."""
    text = message.replace("\0", " ").encode(errors="replace")  # it may quote a container's output
    fields = (b"SFATAL", b"VFATAL", b"C" + _CANNOT_CONNECT_NOW, b"M" + text)
    body = b"\0".join(fields) + b"\0\0"
    return b"E" + (len(body) + 4).to_bytes(4, "big") + body


def verdict(answer: bytes) -> str:
    """Classify a server's first message after a StartupMessage: one of the five above."""
    kind, body = answer[:1], answer[5:]
    if kind == b"R" and len(body) >= 4:
        return TRUSTS if body[:4] == b"\0\0\0\0" else ASKS
    if kind == b"E":
        return STARTING if b"C" + _CANNOT_CONNECT_NOW in body.split(b"\0") else REFUSES
    return SILENT


def ask(sock: _socket.socket, user: str, database: str) -> str:
    """Send a StartupMessage on a fresh connection and classify the answer. Closes it."""
    try:
        sock.sendall(startup_message(user, database))
        return verdict(sock.recv(1024))
    except OSError:
        return SILENT
    finally:
        sock.close()
