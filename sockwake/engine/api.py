"""The Docker engine's HTTP API over a unix socket, as far as sockwake needs it; podman has it too.

On the wake path: `_socket` instead of `socket` and no http.client save 24 of 32 ms of interpreter
start (docs/decisions.md, "Python on the way of a wake"). Requests are HTTP/1.0, so that the engine
answers unchunked and closes the connection after its answer.
"""

from __future__ import annotations

from sockwake.config import scope
from sockwake.errors import SockwakeError, reason
from sockwake.system import packages, unix_socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket

    from sockwake.config.settings import Settings

DOCKER = "/run/docker.sock"
PODMAN = "/run/podman/podman.sock"
# Docker 25 to 28 know this version, Docker 29 none before it; podman ignores the number
API = "/v1.44"
_NO_NFT = "apt install nftables, which podman's bridges need; or --network none"
_VERSIONS = "Docker 25 and later do; an engine that asks for more wants a newer sockwake"
_LONGEST_ANSWER = 16 << 20  # bytes; an inspected container is some 10 kB
PATIENCE = 30  # seconds for each step of a request that the engine answers at once
SIGN_OF_LIFE = 5  # seconds for a ping; a dead engine starts again only after our units stopped
_MISSING, _PODMANS = 404, 500
_LONGEST_NUMBER = 20  # digits
_PLAIN = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/:@"


class EngineError(SockwakeError):
    """The engine refused a request. code: its HTTP status, 0 when it did not answer.

    is_denied: whether it could not be asked, since this user may not.
    """

    is_denied = False

    def __init__(self, message: str, hint: str = "", code: int = 0, said: str = "") -> None:
        super().__init__(message, hint, said=said)
        self.code = code

    @property
    def is_of_something_missing(self) -> bool:
        """Whether the engine lacks what a container needs, such as a network that was pruned."""
        is_podmans = self.code == _PODMANS and (
            "not found" in self.message or "no such" in self.message
        )
        return self.code == _MISSING or is_podmans


def socket_of(engine: str) -> str:
    """The path of the socket that an engine, "docker" or "podman", listens on."""
    if scope.is_user():
        return f"{scope.runtime()}/podman/podman.sock"
    return PODMAN if engine == "podman" else DOCKER


class Engine:
    """One engine, reached through the unix socket at path."""

    def __init__(self, path: str = DOCKER) -> None:
        self.path = path

    @classmethod
    def of(cls, settings: Settings) -> Engine:
        """The engine that an instance's settings name."""
        return cls(socket_of(settings.engine))

    @property
    def is_podman(self) -> bool:
        return self.path.endswith("/podman.sock")

    @property
    def program(self) -> str:
        """The name of its command-line client."""
        return "podman" if self.is_podman else "docker"

    def begin(
        self, method: str, target: str, timeout: float = PATIENCE, body: bytes = b""
    ) -> _socket.socket:
        """Send a request and return the connection for finish(); raises EngineError.

        timeout: seconds for this and for every later step on the connection. body: JSON.
        """
        head = f"{method} {API}{target} HTTP/1.0\r\nHost: engine\r\nContent-Length: {len(body)}\r\n"
        kind = "Content-Type: application/json\r\n" if body else ""
        try:
            sock = unix_socket.connect(self.path, timeout)
            sock.sendall(f"{head}{kind}\r\n".encode() + body)
        except OSError as error:
            problem = f"the container engine does not answer at {self.path}: {_why(error)}"
            is_denied = isinstance(error, PermissionError)
            hint = scope.as_root() if is_denied else ""
            failed = EngineError(problem, hint or self._way_out())
            failed.is_denied = is_denied
            raise failed from None
        return sock

    def _way_out(self) -> str:
        """What to do when it does not answer."""
        if not packages.exists("podman" if self.is_podman else "dockerd"):
            return f"apt install {packages.ENGINES[self.program]}"
        if self.is_podman:
            return scope.command("systemctl", "enable", "--now", "podman.socket")
        return "systemctl status docker.service"

    def finish(self, sock: _socket.socket, beginning: bytes = b"") -> bytes:
        """Wait for the body of the answer to begin(); raises EngineError for a status >= 400.

        beginning: bytes of the answer that were read before.
        """
        answer = bytearray(beginning)
        try:
            while chunk := sock.recv(65536):
                answer += chunk
                if len(answer) > _LONGEST_ANSWER:
                    raise EngineError("the container engine's answer does not end")
        except OSError as error:
            raise EngineError(f"the container engine does not answer: {_why(error)}") from None
        finally:
            sock.close()
        return parse_answer(bytes(answer))

    def call(self, method: str, target: str, timeout: float = PATIENCE) -> bytes:
        """Send a request and return the body of the answer; timeout in seconds for each step."""
        return self.finish(self.begin(method, target, timeout))

    def attach(self, container: str) -> tuple[_socket.socket, bytes]:
        """Attach to a container's output: the connection, and the bytes that have come already.

        Attached before the start it misses nothing. Without a TTY the bytes are frames
        (container.split_frames).
        """
        sock = self.begin("POST", f"/containers/{container}/attach?stream=1&stdout=1&stderr=1")
        head = b""
        try:
            while b"\r\n\r\n" not in head:
                chunk = sock.recv(4096)
                if not chunk:
                    break
                head += chunk
                if len(head) > _LONGEST_ANSWER:
                    break
        except OSError as error:
            raise EngineError(f"the container engine does not answer: {_why(error)}") from None
        if b"\r\n\r\n" not in head or not 100 <= _status(head) < 400:
            self.finish(sock, head)  # raises
        sock.settimeout(None)
        return sock, head.partition(b"\r\n\r\n")[2]


def parse_answer(answer: bytes) -> bytes:
    """Return the body of an HTTP answer; raises EngineError when it is incomplete or a refusal."""
    head, gap, body = answer.partition(b"\r\n\r\n")
    status = _status(head)
    length = _content_length(head)
    if not gap or not status or (length is not None and len(body) < length):
        raise EngineError("the container engine's answer was cut short")
    if status >= 400:
        said = _message(body)
        if status == 400 and said.startswith("client version "):  # "… is too old", "… is too new"
            raise EngineError(
                f"the container engine does not speak version {API[2:]} of its API",
                _VERSIONS,
                status,
                said,
            )
        hint = _NO_NFT if "execute nft:" in said else ""
        raise EngineError(f"the container engine answered {status}", hint, status, said)
    return body if length is None else body[:length]


def quoted(text: str) -> str:
    """Percent-encode text for a path or a query (RFC 3986). urllib.parse costs every wake 9 ms."""
    return "".join(
        chr(byte) if byte in _PLAIN else f"%{byte:02X}" for byte in text.encode(errors="replace")
    )


def _status(head: bytes) -> int:
    words = head.split(b"\r\n", 1)[0].split(b" ", 2)
    if (
        len(words) < 2
        or not words[0].startswith(b"HTTP/")
        or len(words[1]) != 3
        or not words[1].isdigit()
    ):
        return 0
    return int(words[1])


def _content_length(head: bytes) -> int | None:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return (
                int(value)
                if value.strip().isdigit() and len(value) < _LONGEST_NUMBER
                else _LONGEST_ANSWER + 1
            )
    return None


def _message(body: bytes) -> str:
    import json  # only a refusal is worth the 8 ms

    try:
        return str(json.loads(body)["message"]).strip()
    except (ValueError, KeyError, TypeError, RecursionError):
        return body.decode(errors="replace").strip()


def _why(error: OSError) -> str:
    return reason(error) or "no answer"
