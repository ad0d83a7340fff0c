#!/usr/bin/python3
"""prefork-service: an HTTP server with worker processes, on the socket that systemd passes.

SIGTERM ends the workers, and after them the main process.
"""

import os
import signal
import socket

WORKERS = 2


def work(listener: socket.socket) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    while True:
        client, _ = listener.accept()
        client.recv(65536)
        client.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nok\n")
        client.close()


def main() -> None:
    listener = socket.socket(fileno=3)
    workers: list[int] = []

    def pass_on(number: int, _: object) -> None:
        for worker in workers:
            os.kill(worker, number)

    signal.signal(signal.SIGTERM, pass_on)
    for _ in range(WORKERS):
        if (worker := os.fork()) == 0:
            work(listener)
        workers.append(worker)
    for worker in workers:
        os.waitpid(worker, 0)


if __name__ == "__main__":
    main()
