"""The container of one instance: whether it is what the files say, starting it, proving it ready, stopping it."""

from __future__ import annotations

import binascii
import os
import select
import time

from sockwake import postgres
from sockwake.engine import Engine, EngineError, split_frames
from sockwake.errors import SockwakeError
from sockwake.instance import Instance, Settings

TYPE_CHECKING = False  # typing itself would cost the wake 9 ms
if TYPE_CHECKING:
    import _socket
    from collections.abc import Callable

CONFIG_LABEL = "io.sockwake.config"
_PROBE_EVERY = 1  # ms; a probe of a sleeping server costs 30 µs
_FAILED_STOP = 30  # seconds a container that never became ready gets to end


class Container:
    """One container, by its name, in one engine."""

    def __init__(self, instance: Instance, settings: Settings, engine: Engine, name: str = "") -> None:
        self.name = name or instance.container
        self.engine = engine
        self.settings = settings
        self.socket = f"{instance.backend}/{postgres.SOCKET_NAME}"
        self.last_line = b""
        self._stream: _socket.socket | None = None
        self._frames = bytearray()

    def is_current(self, fingerprint: str) -> bool:
        """Whether a container made from these very files exists."""
        wanted = f'{{"name":["^/?{self.name}$"],"label":["{CONFIG_LABEL}={fingerprint}"]}}'
        escaped = "".join(f"%{ord(c):02X}" if c in '{}[]",^$?' else c for c in wanted)
        return self.engine.call("GET", f"/containers/json?all=1&filters={escaped}").strip() != b"[]"

    def start(self) -> None:
        """Start it, listening to what it says from its first line on; returns when its processes run."""
        stream, rest = self.engine.attach(self.name)
        self._stream, self._frames = stream, bytearray(rest)
        try:
            self.engine.call("POST", f"/containers/{self.name}/start", self.settings.start_timeout)
        except EngineError:
            self.close()
            raise

    @property
    def fd(self) -> int:
        """What to poll for relay()."""
        return self._stream.fileno() if self._stream else -1

    def relay(self, write: Callable[[bytes], object]) -> bool:
        """Pass on what the container wrote; False when it has ended."""
        if not self._stream:
            return False
        try:
            chunk = self._stream.recv(65536)
        except ConnectionError:
            chunk = b""
        self._frames += chunk
        if text := split_frames(self._frames):
            self.last_line = text.rstrip(b"\n").rpartition(b"\n")[2]
            write(text)
        if not chunk:
            self.close()
        return bool(chunk)

    def await_ready(self, write: Callable[[bytes], object]) -> None:
        """Return once the server takes queries and asks for a password; raises SockwakeError when it never does.

        A server that is alive but still recovering after start_timeout is handed over as it is: it tells
        its clients so itself, as it would without us, and stopping it would only start its recovery anew.
        """
        poll = select.poll()
        poll.register(self.fd, select.POLLIN)
        deadline = time.monotonic() + self.settings.start_timeout
        server = 0
        while time.monotonic() < deadline:
            if poll.poll(_PROBE_EVERY) and not self.relay(write):
                raise SockwakeError(self.how_it_ended())
            if not server:
                pid = postgres.listener(self.socket)
                server = pid if postgres.is_main_process(pid) else 0
            elif postgres.is_settled(server):
                break
        self._judge(server)

    def _judge(self, server: int) -> None:
        answer = postgres.ask(self.socket, self.settings.db_user, self.settings.db_name)
        if answer == postgres.TRUSTS:
            raise SockwakeError("its server lets strangers in without a password",
                                "pg_hba.conf must not say trust for local connections")
        waited = f"within {self.settings.start_timeout:g} s"
        if answer == postgres.SILENT:
            raise SockwakeError(f"its server did not answer {waited}")
        if not server:
            raise SockwakeError(f"the server on its socket is not the container's process 1 {waited}",
                                "compose.yaml must not say init: true")

    def how_it_ended(self) -> str:
        """One sentence about a container that has ended."""
        import json

        try:
            state = json.loads(self.engine.call("GET", f"/containers/{self.name}/json"))["State"]
        except (EngineError, ValueError, KeyError):
            return "its container is gone"
        reason = "was killed for lack of memory" if state.get("OOMKilled") else f"ended with status {state.get('ExitCode')}"
        said = state.get("Error") or self.last_line.decode(errors="replace").strip()
        return f"its container {reason}: {said}" if said else f"its container {reason}"

    def begin_stop(self, seconds: int | None = None) -> _socket.socket:
        """Ask for a stop and return the connection the engine will answer on when it is done.

        Without seconds the container's own stop_grace_period counts; it starts with its stop signal (SIGINT:
        PostgreSQL's fast shutdown).
        """
        limit = "" if seconds is None else f"?t={seconds}"
        return self.engine.begin("POST", f"/containers/{self.name}/stop{limit}", None)

    def stop(self, seconds: int | None = None) -> None:
        """Stop it and wait for that; nothing to do when it does not run or exist."""
        try:
            self.engine.finish(self.begin_stop(seconds))
        except EngineError as error:
            if error.code != 404:
                raise
        self.close()

    def give_up(self) -> None:
        """Stop a container that never became ready; what goes wrong on the way is not worth more than the first error."""
        try:
            self.stop(_FAILED_STOP)
        except EngineError:
            self.close()

    def close(self) -> None:
        if self._stream:
            self._stream.close()
            self._stream = None


def fingerprint(*paths: str) -> str:
    """What tells an edited file from the one a container was made of. Against edits, not against malice."""
    value = size = 0
    for path in paths:
        try:
            with open(path, "rb") as file:
                content = file.read()
        except OSError as error:
            raise SockwakeError(f"cannot read {path}: {os.strerror(error.errno or 0).lower()}") from None
        value = binascii.crc32(content, value)
        size += len(content)
    return f"{size}-{value:08x}"
