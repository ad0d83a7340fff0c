#!/usr/bin/python3
"""native-service [OPTION…]: an HTTP server on the socket that systemd passes.

It answers with the client's address, its process and its user. /hold/SECONDS takes that long,
/drip/SECONDS sends a little twice a second. It notes each start in "starts" of its state directory.

--broken FILE     end at once while FILE exists
--notify SECONDS  be ready only after SECONDS, and notify systemd
--socket PATH     listen there instead, with a queue for five
"""

import argparse
import os
import socket
import sys
import time
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path.startswith("/drip/"):
            self._drip(float(self.path.removeprefix("/drip/")))
            return
        if self.path.startswith("/hold/"):
            time.sleep(float(self.path.removeprefix("/hold/")))
        client = (
            f"{self.client_address[0]}:{self.client_address[1]}"
            if self.client_address
            else "unknown"
        )
        text = f"{client} {os.getpid()} {os.getuid()}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _drip(self, seconds: float) -> None:
        self.send_response(200)
        self.end_headers()
        for _ in range(int(2 * seconds)):
            self.wfile.write(b"a drop\n")
            time.sleep(0.5)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing to say."""


class Server(ThreadingMixIn, TCPServer):
    daemon_threads = True

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(("", 0), Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = sock

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        sock, address = self.socket.accept()
        return sock, address or ("", 0)  # a client of a unix socket has none


parser = argparse.ArgumentParser()
parser.add_argument("--broken", default="")
parser.add_argument("--notify", type=float)
parser.add_argument("--socket")
asked = parser.parse_args()
with open("starts", "a") as starts:
    starts.write("start\n")
if asked.broken and os.path.exists(asked.broken):
    sys.exit("there is no more paper")
if asked.socket:
    own = socket.socket(socket.AF_UNIX)
    own.bind(asked.socket)
    own.listen(5)
else:
    assert os.environ["LISTEN_FDS"] == "1" and os.environ["LISTEN_PID"] == str(os.getpid())
    own = socket.socket(fileno=3)
server = Server(own)
if asked.notify is not None:
    time.sleep(asked.notify)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"].replace("@", "\0", 1))
server.serve_forever()
