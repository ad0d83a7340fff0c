"""An engine with prepared answers, on a real unix socket."""

import http.server
import socketserver
import threading
import urllib.parse

from sockwake.engine.api import API


def frame(text: bytes) -> bytes:
    """What a container wrote, as its engine passes it on."""
    return b"\1\0\0\0" + len(text).to_bytes(4, "big") + text


class Daemon(socketserver.ThreadingUnixStreamServer):
    """An engine with one answer for each method and path, that keeps the queries."""

    daemon_threads = True

    def __init__(self, path: str) -> None:
        super().__init__(path, Handler)
        self.answers: dict[str, tuple[int, bytes]] = {"GET /_ping": (200, b"OK")}
        self.queries: dict[str, dict[str, list[str]]] = {}
        self.mute: set[str] = set()  # requests that are never answered
        self.ended = threading.Event()

    def server_close(self) -> None:
        self.ended.set()
        super().server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    server: Daemon

    def do_GET(self) -> None:
        assert self.path.startswith(f"{API}/"), "its newest API may be another one tomorrow"
        url = urllib.parse.urlsplit(self.path.removeprefix(API))
        asked = f"{self.command} {url.path}"
        self.server.queries[asked] = urllib.parse.parse_qs(url.query)
        if asked in self.server.mute:
            self.server.ended.wait(60)
            return
        status, body = self.server.answers.get(asked, (404, b'{"message":"No such container"}'))
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_DELETE = do_GET

    def address_string(self) -> str:
        return "a unix socket"

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""
