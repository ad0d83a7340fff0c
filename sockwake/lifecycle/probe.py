"""One question to a server that may not be up yet, and what it showed of itself."""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
    from collections.abc import Callable

    # lets so many seconds pass, less when the descriptor (-1 for none) can be read; raises
    # SockwakeError when there is nothing left to wait for
    Wait = Callable[[float, int], None]

HTTP = "http:"
# what a probe finds: the server serves, says that it does not yet (503), says nothing so far, or
# cannot be ready by this proof. No enum, which would cost the wake 5 ms
READY, BUSY, SILENT, WRONG = "ready", "busy", "silent", "wrong"
_TLS_ALERT = b"\x15\x03"  # RFC 8446, section 5.1
_MOST_SHOWN = 60  # bytes of what is no HTTP
_BY_TCP = "--ready tcp (READY=tcp in instance.env) takes any server that accepts connections"
_ANOTHER_PAGE = (
    f"{_BY_TCP}; --ready http:/PATH asks for another page, and --probe-host NAME (PROBE_HOST=) "
    "for another of its names"
)


class Pace:
    """When to look again: at once in the beginning, then after a share of the time gone by.

    So a start of any length is noticed a few percent late, and costs some hundred looks.
    soon, longest: the least and the most seconds between two. share: of the time since patient.
    patient: seconds that the least holds.
    """

    def __init__(self, soon: float, share: float, longest: float, patient: float = 0.0) -> None:
        self._soon, self._share, self._longest = soon, share, longest
        self._from = time.monotonic() + patient

    def pause(self) -> float:
        """Seconds until the next look."""
        waited = time.monotonic() - self._from
        return min(max(self._soon, self._share * waited), self._longest)


class Sight:
    """What a probe saw. state: one of the above. what: the end of a sentence, "" when READY.

    said: what the server sent, which is for the administrator. hint: what helps.
    """

    __slots__ = ("hint", "said", "state", "what")

    def __init__(self, state: str, what: str = "", hint: str = "", said: str = "") -> None:
        self.state = state
        self.what = what
        self.hint = hint
        self.said = said


LONGER = "--start-timeout TIME (START_TIMEOUT= in instance.env) lets a start take longer"


def unopened(port: int) -> Sight:
    """What is seen of a server that does not accept connections."""
    elsewhere = "--container-port N (BACKEND_PORT=) if it listens on another port; " if port else ""
    return Sight(SILENT, "nothing accepted connections there", f"{elsewhere}{LONGER}")


class Probe:
    """A question on a fresh connection, closed by close() and by a read() that is not SILENT.

    fd: what can be read when the server has said something.
    """

    def __init__(self, sock: _socket.socket, ready: str, host: str) -> None:
        """ready: READY= of instance.env. host: PROBE_HOST=."""
        from sockwake.protocol import http  # late: PostgreSQL has no use for it

        self._sock = sock
        self._answer = b""
        self._is_http = ready.startswith(HTTP)
        sock.setblocking(False)
        try:
            if self._is_http:
                sock.sendall(http.request(ready.removeprefix(HTTP), host))
        except OSError:
            pass  # read() sees it, too

    @property
    def fd(self) -> int:
        return self._sock.fileno()

    def read(self) -> Sight:
        """What is seen by now."""
        sight = self._look() if self._is_http else Sight(READY)
        if sight.state != SILENT:
            self.close()
        return sight

    def close(self) -> None:
        self._sock.close()

    def _look(self) -> Sight:
        from sockwake.protocol import http

        try:
            while http.may_be_cut(self._answer) and (chunk := self._sock.recv(4096)):
                self._answer += chunk
        except BlockingIOError:
            return Sight(
                SILENT, "it accepted a connection and said nothing", f"{LONGER}; {_BY_TCP}"
            )
        except OSError:
            pass  # as good as closed
        return judge(self._answer)


def judge(answer: bytes) -> Sight:
    """What is seen of a server by its answer to a request, all of which was read."""
    from sockwake.protocol import http

    status = http.status_of(answer)
    if http.is_ready(status):
        return Sight(READY)
    if status:
        return Sight(BUSY, f"it answered with status {status}", f"{LONGER}; {_BY_TCP}")
    if not answer:
        return Sight(WRONG, "it closed the connection without an answer", _ANOTHER_PAGE)
    if answer.startswith(_TLS_ALERT):
        return Sight(WRONG, "it asked for TLS", _BY_TCP)
    if http.may_be_cut(answer):
        return Sight(WRONG, "it closed the connection within its answer", _ANOTHER_PAGE)
    beginning = answer[:_MOST_SHOWN].decode("latin-1")
    return Sight(WRONG, "it speaks another protocol than HTTP", _BY_TCP, f"it sent {beginning}")
