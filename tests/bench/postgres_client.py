"""The smallest PostgreSQL client: StartupMessage, SCRAM-SHA-256, one simple query.

psql takes 10 ms to connect, sometimes more and sometimes less: too blunt to aim with.
Source: PostgreSQL documentation, "Message Formats" and "SASL Authentication"; RFC 5802 and 7677.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import os
import socket

STEP_TIMEOUT_S = 30.0


class ClientError(Exception):
    """The connection did not end in an answer; the message is what a user would have read."""


class Connection:
    """One session, logged in. Raises ClientError for whatever is not a row, a time-out included."""

    def __init__(
        self, address: tuple[str, int] | str, password: str, user: str = "postgres"
    ) -> None:
        self._buffer = b""
        self._sock = _connect(address)
        try:
            self._send(b"", _startup(user))
            self._authenticate(password)
            self._read_until(b"Z")
        except BaseException:
            self._sock.close()
            raise

    def query(self, sql: str) -> str:
        """The first column of the first row."""
        self._send(b"Q", sql.encode() + b"\0")
        row = self._read_until(b"D")
        self._read_until(b"Z")
        length = int.from_bytes(row[2:6], "big")
        return row[6 : 6 + length].decode()

    def close(self) -> None:
        """Say goodbye as libpq does."""
        with contextlib.suppress(ClientError):
            self._send(b"X", b"")
        self._sock.close()

    def _authenticate(self, password: str) -> None:
        body = self._read_until(b"R")
        if body[:4] != (10).to_bytes(4, "big"):
            raise ClientError(
                f"authentication method {int.from_bytes(body[:4], 'big')} where SASL was expected"
            )
        nonce = base64.b64encode(os.urandom(18)).decode()
        first_bare = f"n=,r={nonce}"
        first = f"n,,{first_bare}".encode()
        self._send(b"p", b"SCRAM-SHA-256\0" + len(first).to_bytes(4, "big") + first)
        server_first = self._read_until(b"R")[4:].decode()
        self._send(b"p", _scram_answer(password, first_bare, server_first).encode())
        self._read_until(b"R")
        self._read_until(b"R")

    def _send(self, kind: bytes, body: bytes) -> None:
        try:
            self._sock.sendall(kind + (len(body) + 4).to_bytes(4, "big") + body)
        except OSError as error:
            raise ClientError(f"sending failed: {error}") from None

    def _read_until(self, wanted: bytes) -> bytes:
        """The body of the next message of this kind; an ErrorResponse ends everything."""
        while True:
            kind, body = self._message()
            if kind == wanted:
                return body
            if kind == b"E":
                raise ClientError(_error_text(body))

    def _message(self) -> tuple[bytes, bytes]:
        head = self._take(5)
        return head[:1], self._take(int.from_bytes(head[1:], "big") - 4)

    def _take(self, count: int) -> bytes:
        while len(self._buffer) < count:
            try:
                chunk = self._sock.recv(65536)
            except OSError as error:
                raise ClientError(f"receiving failed: {error}") from None
            if not chunk:
                raise ClientError("server closed the connection unexpectedly")
            self._buffer += chunk
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken


def first_row(address: tuple[str, int] | str, password: str) -> None:
    """Connect, log in, select 1, leave. Raises ClientError."""
    connection = Connection(address, password)
    try:
        if (answer := connection.query("select 1")) != "1":
            raise ClientError(f"'{answer}' where 1 was expected")
    finally:
        connection.close()


def asks_for_password(path: str) -> bool:
    """Whether the server on this unix socket answers a StartupMessage with a password request."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(STEP_TIMEOUT_S)
    try:
        sock.connect(path)
        body = _startup("postgres")
        sock.sendall((len(body) + 4).to_bytes(4, "big") + body)
        return sock.recv(1) == b"R"
    except OSError:
        return False
    finally:
        sock.close()


def _connect(address: tuple[str, int] | str) -> socket.socket:
    sock = socket.socket(
        socket.AF_UNIX if isinstance(address, str) else socket.AF_INET, socket.SOCK_STREAM
    )
    sock.settimeout(STEP_TIMEOUT_S)
    try:
        sock.connect(address)
    except OSError as error:
        sock.close()
        raise ClientError(f"connecting failed: {error}") from None
    return sock


def _startup(user: str) -> bytes:
    fields = b"".join(word.encode() + b"\0" for word in ("user", user, "database", "postgres"))
    return (3 << 16).to_bytes(4, "big") + fields + b"\0"


def _scram_answer(password: str, first_bare: str, server_first: str) -> str:
    fields = dict(part.split("=", 1) for part in server_first.split(","))
    salted = hashlib.pbkdf2_hmac(
        "sha256", password.encode(), base64.b64decode(fields["s"]), int(fields["i"])
    )
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    final = f"c=biws,r={fields['r']}"
    signed = f"{first_bare},{server_first},{final}".encode()
    signature = hmac.digest(hashlib.sha256(client_key).digest(), signed, "sha256")
    proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
    return f"{final},p={base64.b64encode(proof).decode()}"


def _error_text(body: bytes) -> str:
    fields = {part[:1]: part[1:].decode(errors="replace") for part in body.split(b"\0") if part}
    return f"{fields.get(b'S', '')}: {fields.get(b'M', '')}"
