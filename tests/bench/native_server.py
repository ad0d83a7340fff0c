"""A program that takes systemd's listening socket and answers HTTP: what `--kind native` is for."""

from __future__ import annotations

import os
import socket
import threading

ANSWER = b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"


def answer(connection: socket.socket) -> None:
    with connection:
        if connection.recv(4096):
            connection.sendall(ANSWER)


def main() -> None:
    listener = socket.socket(fileno=3)
    if os.environ.get("LISTEN_FDS") != "1":
        raise SystemExit("native_server: systemd passes no socket")
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=answer, args=(connection,)).start()


if __name__ == "__main__":
    main()
