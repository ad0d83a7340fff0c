"""bin/refuse as systemd runs it, with a listening socket on descriptor 3, and its clients."""

import socket
import subprocess
import sys
from pathlib import Path

from sockwake.protocol import postgres
from tree import SOURCE, Ran

REASON = "image postgres:18 is not on this machine"
SENTENCE = f'sockwake: instance "pg1" cannot start: {REASON} (journalctl -u pg-postgres@pg1)'
STARTUP = postgres.startup_message("me", "mine")
SSL = b"\0\0\0\x08" + postgres.SSL_REQUEST
GSS = b"\0\0\0\x08" + postgres.GSS_REQUEST
REQUEST = b"GET /shop?q=1 HTTP/1.1\r\nHost: shop\r\nAccept: */*\r\n\r\n"
PATIENCE = 5  # seconds that bin/refuse allows all its clients together
SLACK = 15  # seconds for a busy machine
# what systemd does between fork and exec: FD DESCRIPTORS PROGRAM...
_ACTIVATE = """import os, resource, sys
fd, descriptors, *argv = sys.argv[1:]
os.dup2(int(fd), 3)
os.environ["LISTEN_FDS"] = "1"
resource.setrlimit(resource.RLIMIT_NOFILE, (int(descriptors), int(descriptors)))
os.execv(argv[0], argv)
"""


def start(
    listener: socket.socket, *arguments: str | Path, descriptors: int = 1024
) -> "subprocess.Popen[str]":
    """Start it with these arguments; descriptors: how many it may have open."""
    fd = listener.fileno()
    refuse = [sys.executable, "-IS", f"{SOURCE}/bin/refuse", *map(str, arguments)]
    return subprocess.Popen(
        [sys.executable, "-c", _ACTIVATE, f"{fd}", f"{descriptors}", *refuse],
        pass_fds=(fd,),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end(process: "subprocess.Popen[str]") -> Ran:
    """Wait for its end, which comes by itself soon after its patience."""
    try:
        stdout, stderr = process.communicate(timeout=PATIENCE + SLACK)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise
    return Ran(("refuse",), process.returncode, stdout, stderr)


def connect(listener: socket.socket, *said: bytes) -> socket.socket:
    """A client in the queue that has sent these pieces already."""
    sock = socket.create_connection(listener.getsockname(), SLACK)
    for piece in said:
        sock.sendall(piece)
    return sock


def read_all(sock: socket.socket) -> bytes:
    """What the client reads until the end of its connection."""
    answer = b""
    while chunk := sock.recv(4096):
        answer += chunk
    sock.close()
    return answer


def require_unavailable(answer: bytes) -> None:
    """Require that this is the refusal in HTTP."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 Service Unavailable\r\n") and b"\r\nRetry-After: " in head
    assert body.decode() == f"{SENTENCE}\n"
