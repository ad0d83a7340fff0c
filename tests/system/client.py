"""A PostgreSQL client that tells a refusal from a lost connection; a hundred of them are cheap.

Source: PostgreSQL documentation, "Message Formats" and "SASL Authentication"; RFC 5802.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import os
import select
import socket
import struct

PATIENCE = 60.0  # seconds for each answer


class Refused(Exception):
    """The server, or sockwake in its place, answered with an error."""

    def __init__(self, fields: dict[str, str]) -> None:
        super().__init__(f"{fields.get('S')}: {fields.get('M')}")
        self.severity, self.code, self.message = (
            fields.get("S", ""),
            fields.get("C", ""),
            fields.get("M", ""),
        )


class Lost(Exception):
    """The connection was reset or ended without a word."""


class Client:
    """One connection. address: (host, port), or the path of a unix socket."""

    def __init__(
        self,
        address: tuple[str, int] | str,
        user: str,
        database: str,
        password: str,
        *,
        source: str = "",
        patience: float = PATIENCE,
    ) -> None:
        self._sock = _connect(address, source, patience)
        self._received = b""
        self._password = password
        try:
            pairs = (
                b"".join(text.encode() + b"\0" for text in ("user", user, "database", database))
                + b"\0"
            )
            self._send(b"", struct.pack("!I", 3 << 16) + pairs)
            self._log_in()
        except BaseException:
            self._sock.close()
            raise

    @property
    def local_address(self) -> str:
        """This end, as the other one sees it."""
        host, port = self._sock.getsockname()[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def query(self, sql: str) -> list[list[str]]:
        """The rows of a simple query; raises Refused with the server's error."""
        self.ask(sql)
        rows: list[list[str]] = []
        refusal: Refused | None = None
        while (message := self._receive())[0] != b"Z":
            if message[0] == b"D":
                rows.append(_row(message[1]))
            elif message[0] == b"E":
                refusal = Refused(_fields(message[1]))
                if refusal.severity == "FATAL":
                    raise refusal
        if refusal:
            raise refusal
        return rows

    def ask(self, sql: str) -> None:
        """Send a simple query, and do not wait for what comes of it."""
        self._send(b"Q", sql.encode() + b"\0")

    def value(self, sql: str) -> str:
        """The first column of the first row."""
        return self.query(sql)[0][0]

    def close(self) -> None:
        """Say goodbye as libpq does."""
        with contextlib.suppress(Lost):
            self._send(b"X", b"")
        self._sock.close()

    def say_no_more(self) -> None:
        """Close this half, and go on listening."""
        self._sock.shutdown(socket.SHUT_WR)

    def is_spoken_to(self, within: float) -> bool:
        """Whether the server says something unasked, or closes the connection, in these seconds."""
        return bool(select.select([self._sock], [], [], within)[0])

    def vanish(self) -> None:
        """Close without a goodbye."""
        self._sock.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _log_in(self) -> None:
        nonce = base64.b64encode(os.urandom(18)).decode()
        scram = _Scram(self._password, nonce)
        while True:
            kind, body = self._receive()
            if kind == b"E":
                raise Refused(_fields(body))
            if kind == b"Z":
                return
            if kind != b"R":
                continue
            step = struct.unpack("!I", body[:4])[0]
            if step == 10:
                first = scram.first().encode()
                self._send(b"p", b"SCRAM-SHA-256\0" + struct.pack("!I", len(first)) + first)
            elif step == 11:
                self._send(b"p", scram.final(body[4:].decode()).encode())
            elif step not in (0, 12):
                raise AssertionError(f"the server asks for authentication {step}, not SCRAM")

    def _send(self, kind: bytes, body: bytes) -> None:
        try:
            self._sock.sendall(kind + struct.pack("!I", len(body) + 4) + body)
        except OSError as error:
            raise Lost(f"cannot send: {error}") from None

    def _receive(self) -> tuple[bytes, bytes]:
        kind, length = struct.unpack("!cI", self._take(5))
        return kind, self._take(length - 4)

    def _take(self, count: int) -> bytes:
        while len(self._received) < count:
            try:
                chunk = self._sock.recv(65536)
            except OSError as error:
                raise Lost(f"cannot receive: {error or 'no answer'}") from None
            if not chunk:
                raise Lost("the connection ended without a word")
            self._received += chunk
        taken, self._received = self._received[:count], self._received[count:]
        return taken


class _Scram:
    """The client's half of SCRAM-SHA-256."""

    def __init__(self, password: str, nonce: str) -> None:
        self._password = password
        self._bare = f"n=,r={nonce}"

    def first(self) -> str:
        return f"n,,{self._bare}"

    def final(self, server: str) -> str:
        said = dict(item.split("=", 1) for item in server.split(","))
        salted = hashlib.pbkdf2_hmac(
            "sha256", self._password.encode(), base64.b64decode(said["s"]), int(said["i"])
        )
        key = hmac.digest(salted, b"Client Key", "sha256")
        without_proof = f"c=biws,r={said['r']}"
        signature = hmac.digest(
            hashlib.sha256(key).digest(),
            f"{self._bare},{server},{without_proof}".encode(),
            "sha256",
        )
        proof = bytes(a ^ b for a, b in zip(key, signature, strict=True))
        return f"{without_proof},p={base64.b64encode(proof).decode()}"


def _connect(address: tuple[str, int] | str, source: str, patience: float) -> socket.socket:
    try:
        if isinstance(address, str):
            sock = socket.socket(socket.AF_UNIX)
            sock.settimeout(patience)
            sock.connect(address)
            return sock
        return socket.create_connection(address, patience, (source, 0) if source else None)
    except OSError as error:
        raise Lost(f"cannot connect to {address}: {error}") from None


def _fields(body: bytes) -> dict[str, str]:
    return {
        chr(field[0]): field[1:].decode(errors="replace") for field in body.split(b"\0") if field
    }


def _row(body: bytes) -> list[str]:
    count, values, at = struct.unpack("!H", body[:2])[0], [], 2
    for _ in range(count):
        length = struct.unpack("!i", body[at : at + 4])[0]
        at += 4
        values.append("" if length < 0 else body[at : at + length].decode())
        at += max(length, 0)
    return values
