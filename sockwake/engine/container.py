"""The container of one instance: search, start, read its output, stop."""

from __future__ import annotations

import os
import time

from sockwake.engine.api import SIGN_OF_LIFE, Engine, EngineError, quoted
from sockwake.errors import SockwakeError

TYPE_CHECKING = False  # typing itself would cost the wake 9 ms
if TYPE_CHECKING:
    import _socket
    from collections.abc import Callable

CONFIG_LABEL = "io.sockwake.config"
_LONGEST_PID = 9  # digits
_LONGEST_NUMBER = 20  # bytes
_PIECE = 8192  # bytes for each read; a larger buffer would stay in memory
_SHORT_ANSWER = 30  # seconds for each step
_GRACE = 300  # seconds to stop, when the engine does not tell the container's StopTimeout
_MARGIN = 30  # seconds for the engine to kill a container that did not stop, and to answer
_ENGINES_GRACE = 10  # seconds to stop, of a container without a StopTimeout
_TAIL = 4096  # bytes
_LAST_WORDS = 5  # seconds the engine may take to pass on what a container that has ended wrote
_FAILED_STOP = 30  # seconds to stop for a container that never became ready


class Found:
    """What the engine has of a container: whether it is made of the present files, and runs."""

    __slots__ = ("is_current", "is_running")

    def __init__(self, is_current: bool, is_running: bool) -> None:
        self.is_current = is_current
        self.is_running = is_running


class Search:
    """A request for the container of one name and fingerprint: sent at once, answered later.

    JSON is written and searched as text: on every wake json would cost 7 ms and urllib.parse 9 ms
    (docs/decisions.md, "Python on the way of a wake").
    """

    def __init__(self, engine: Engine, name: str, fingerprint: str) -> None:
        filters = f'{{"name":["^/?{name}$"],"label":["{CONFIG_LABEL}={fingerprint}"]}}'
        target = f"/containers/json?all=1&filters={quoted(filters)}"
        self._engine = engine
        self._connection = engine.begin("GET", target, _SHORT_ANSWER)

    def result(self) -> Found:
        """Wait for the answer; raises EngineError."""
        answer = self._engine.finish(self._connection).strip()
        if answer[:1] + answer[-1:] != b"[]":
            raise EngineError("the container engine's list of containers was cut short")
        return Found(is_current=answer != b"[]", is_running=b'"State":"running"' in answer)


class Container:
    """One container, by its name, in one engine."""

    def __init__(self, name: str, engine: Engine, stream: int = -1) -> None:
        """stream: the descriptor that hand_over() returned in the program before; -1 for none."""
        self.name = name
        self.engine = engine
        self.last_line = b""
        self.tail = b""  # of its output
        self.inspected = b""  # what the engine said of it when it was asked for pid()
        self.grace = _GRACE  # seconds from its stop signal to SIGKILL, known from begin_stop() on
        self.fd = stream  # what to poll for relay()
        self._frames = bytearray()

    def search(self, fingerprint: str) -> Search:
        """Ask the engine for the container that is made of the files with this fingerprint."""
        return Search(self.engine, self.name, fingerprint)

    def start(self, timeout: float, *, is_running: bool = False, insist: str = "") -> None:
        """Start it, attached to its output from the first line; returns when its processes run.

        timeout: seconds the engine may take. is_running: its watcher was killed, or it was started
        by hand, so it is stopped first. Otherwise its log and its end would be missed, and it could
        not be proven ready: its socket was bound by the watcher that is gone. insist: as in stop().
        """
        if is_running:
            self.stop(insist=insist)
        stream, rest = self.engine.attach(self.name)
        self.fd, self._frames = stream.detach(), bytearray(rest)
        try:
            self.engine.call("POST", f"/containers/{self.name}/start", timeout)
        except EngineError:
            self.close()
            raise

    def pid(self) -> int:
        """The host's number of its process 1; raises EngineError.

        Cut out of the answer as text: a JSON parser would cost every wake 7 ms.
        """
        answer = self.engine.call("GET", f"/containers/{self.name}/json")
        self.inspected = answer
        pid, comma, _ = answer.partition(b'"Pid":')[2].partition(b",")
        # half a number would be another process
        if not comma or not pid.strip().isdigit() or len(pid) > _LONGEST_PID:
            raise EngineError("the container engine does not tell its container's process")
        return int(pid)

    def relay(self, write: Callable[[bytes], object]) -> bool:
        """Read its output once and pass it to write(); False when the container has ended."""
        if self.fd < 0:
            return False
        try:
            chunk = os.read(self.fd, _PIECE)
        except ConnectionError:
            chunk = b""
        self._frames += chunk
        if text := split_frames(self._frames):
            self.tail = (self.tail + text)[-_TAIL:]
            self.last_line = text.rstrip(b"\n").rpartition(b"\n")[2]
            write(text)
        if not chunk:
            self.close()
        return bool(chunk)

    def hand_over(self, write: Callable[[bytes], object]) -> int:
        """The descriptor of its output, inheritable, for the program that this process becomes.

        Reads to the end of a frame before. Raises SockwakeError when the container ends meanwhile.
        """
        while self._frames and self.relay(write):
            pass
        if self.fd < 0:
            raise self.how_it_ended()
        os.set_inheritable(self.fd, True)
        return self.fd

    def how_it_ended(self) -> SockwakeError:
        """The error that tells why the container ended: its status, or a lack of memory."""
        import json

        try:
            # its output may end a moment before the engine has its exit status
            self.engine.call("POST", f"/containers/{self.name}/wait", SIGN_OF_LIFE)
            state = json.loads(
                self.engine.call("GET", f"/containers/{self.name}/json", SIGN_OF_LIFE)
            )["State"]
        except (EngineError, ValueError, KeyError, TypeError, RecursionError):
            state = None
        last = self.last_line.decode(errors="replace").strip()
        if not isinstance(state, dict):
            return SockwakeError("its container is gone", said=last)
        reason = (
            "was killed for lack of memory"
            if state.get("OOMKilled")
            else f"ended with status {state.get('ExitCode')}"
        )
        return SockwakeError(f"its container {reason}", said=str(state.get("Error") or last))

    def begin_stop(self, seconds: int | None = None) -> _socket.socket:
        """Request a stop and return the connection for the answer, which comes when it has stopped.

        seconds: from the stop signal (SIGINT: PostgreSQL's fast shutdown) to SIGKILL; None for the
        container's stop_grace_period. Raises EngineError when the engine does not answer a ping.
        """
        limit = "" if seconds is None else f"?t={seconds}"
        self.engine.call("GET", "/_ping", SIGN_OF_LIFE)
        patience = (self._grace() if seconds is None else seconds) + _MARGIN
        return self.engine.begin("POST", f"/containers/{self.name}/stop{limit}", patience)

    def was_killed(self, took: float) -> bool:
        """Whether a stop that took so many seconds ended in SIGKILL.

        The engine is asked only after a stop that took all the time there was.
        """
        if took < self.grace:
            return False
        try:
            answer = self.engine.call("GET", f"/containers/{self.name}/json", SIGN_OF_LIFE)
        except EngineError:
            return False
        return b'"ExitCode":137' in answer and b'"OOMKilled":true' not in answer

    def _grace(self) -> int:
        """The container's StopTimeout in seconds."""
        try:
            answer = self.engine.call("GET", f"/containers/{self.name}/json", SIGN_OF_LIFE)
        except EngineError:
            return _GRACE
        found = (
            answer.partition(b'"StopTimeout":')[2][:_LONGEST_NUMBER]
            .replace(b"}", b",")
            .partition(b",")[0]
            .strip()
        )
        if not found.isdigit():
            self.grace = _ENGINES_GRACE
            return _GRACE
        self.grace = int(found)
        return self.grace

    def stop(self, seconds: int | None = None, insist: str = "") -> None:
        """Stop it and wait; does nothing when it does not run or exist.

        seconds: as in begin_stop(). insist: a signal to send once a second meanwhile, because an
        entrypoint that has not become its server yet is a process 1 without a handler, for which
        the kernel drops the first stop signal.
        """
        import select

        try:
            answer = self.begin_stop(seconds)
            deadline = time.monotonic() + (answer.gettimeout() or 0)
            while (
                insist and time.monotonic() < deadline and not select.select([answer], [], [], 1)[0]
            ):
                self._send(insist)
            self.engine.finish(answer)
        except EngineError as error:
            if error.code != 404:
                raise
        self.close()

    def _send(self, signal: str) -> None:
        try:
            self.engine.call("POST", f"/containers/{self.name}/kill?signal={signal}", SIGN_OF_LIFE)
        except EngineError:
            pass  # it has just ended

    def give_up(self, write: Callable[[bytes], object]) -> None:
        """Stop a container that never became ready, and pass on what it wrote to its end.

        Without an error of its own.
        """
        try:
            self.engine.finish(self.begin_stop(_FAILED_STOP))
        except EngineError:
            pass
        else:
            self.relay_rest(write)
        self.close()

    def relay_rest(self, write: Callable[[bytes], object]) -> None:
        """Pass on what a container that has ended wrote, as long as its engine tells it."""
        import select

        while self.fd >= 0 and select.select([self.fd], [], [], _LAST_WORDS)[0]:
            self.relay(write)

    def close(self) -> None:
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)


def split_frames(buffer: bytearray) -> bytes:
    """Take every complete frame off the front of buffer and return their contents.

    A frame is one byte for the stream, three zero bytes, four with the length, and that many bytes
    (Docker's API, "Stream format"). The output of a TTY has no frames and is returned as it is.
    """
    taken = bytearray()
    while len(buffer) >= 8:
        if any(buffer[1:4]):
            taken += buffer
            buffer.clear()
            break
        end = 8 + int.from_bytes(buffer[4:8], "big")
        if len(buffer) < end:
            break
        taken += buffer[8:end]
        del buffer[:end]
    return bytes(taken)
