"""Servers on addresses of the loopback that clients may be led to, each as a Patroni has it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress


def _serve(address: tuple[str, int], answer: Callable[[socket.socket], None]) -> socket.socket:
    """Listen, and answer each connection in a thread of its own; returns what listens."""
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    listener = socket.create_server(address, family=family)

    def accept() -> None:
        with suppress(OSError):  # it was closed
            while True:
                client, _ = listener.accept()
                threading.Thread(target=answer, args=(client,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return listener


class Server:
    """One server: it says its name to each client, and echoes what that sends.

    status: what its REST API answers with; None for no API. Both ports are those of the first.
    """

    def __init__(self, host: str, port: int = 0, rest: int = 0, status: int | None = 200) -> None:
        self.host = host
        self.status = status
        self.role = ""  # of what it says of itself, if it does
        self._clients: list[socket.socket] = []
        self._listeners = [_serve((host, port), self._echo)]
        self.port: int = self._listeners[0].getsockname()[1]
        self.rest = rest
        if status is not None:
            self._listeners.append(_serve((host, rest), self._tell))
            self.rest = self._listeners[1].getsockname()[1]

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    def end(self) -> None:
        """As by kill -9 of all its processes."""
        for each in (*self._listeners, *self._clients):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _echo(self, client: socket.socket) -> None:
        self._clients.append(client)
        with suppress(OSError):
            client.sendall(self.host.encode())
            while said := client.recv(100):
                client.sendall(said)
        with suppress(OSError):
            client.close()

    def _tell(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            if client.recv(1000).startswith(b"GET /primary "):
                body = f'{{"role": "{self.role}"}}' if self.role else ""
                client.sendall(f"HTTP/1.0 {self.status} .\r\n\r\n{body}".encode())
