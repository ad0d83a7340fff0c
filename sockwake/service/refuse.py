"""Tell every client that waits why there is no backend, and end.

bin/proxy becomes this in place of systemd-socket-proxyd when the backend did not become ready. It
takes the listening sockets systemd passed (sd_listen_fds(3)), answers the connections in their
queues, and ends, so that the next client makes a new attempt. It lives in the proxy's sandbox and
trusts nothing a client says.
"""

import errno
import select
import socket
import sys
import time

from sockwake.config import scope
from sockwake.protocol import http, postgres

_FIRST_FD = 3  # SD_LISTEN_FDS_START
_FULL = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_RESET = (errno.ECONNABORTED, errno.EPROTO)  # meanwhile, by the client
_PATIENCE = 5.0  # seconds for all clients together
_HURRY = 0.5  # seconds that are left of it when another client waits
_LONGEST_GOODBYE = 256  # times 4 kB are read from a client that does not stop sending
_LONGEST_HEAD = 65536  # bytes
_LONGEST_STARTUP = 10000  # bytes, MAX_STARTUP_PACKET_LENGTH in PostgreSQL


class Client:
    """One connection: what it sent so far, and whether it has its answer.

    It is answered in its own protocol, whatever the instance is: instance.env may be broken.
    """

    def __init__(self, sock: socket.socket, message: str) -> None:
        self.sock = sock
        self.received = b""
        self.answered = False  # then what it still sends is read and dropped
        self.message = message
        sock.setblocking(False)

    def advance(self) -> bool:
        """Read what has come and answer it; False when there is nothing more to do."""
        try:
            chunk = self.sock.recv(4096)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if self.answered:
            return bool(chunk)
        self.received += chunk
        return bool(chunk) and self._answer()

    def _answer(self) -> bool:
        """Answer what was received so far; False when the connection can be closed."""
        if http.begins(self.received):
            if not http.has_head(self.received):
                return len(self.received) < _LONGEST_HEAD
            self.answered = self._send(http.unavailable(self.message)) and self._say_no_more()
            return self.answered
        while len(self.received) >= 8:
            length = int.from_bytes(self.received[:4], "big")
            if not 8 <= length <= _LONGEST_STARTUP:
                return False
            if len(self.received) < length:
                return True
            packet, self.received = self.received[:length], self.received[length:]
            asks_for_encryption = packet[4:8] in (postgres.SSL_REQUEST, postgres.GSS_REQUEST)
            answer = b"N" if asks_for_encryption else postgres.fatal(self.message)
            if not self._send(answer) or not asks_for_encryption:
                return False
        return True

    def _send(self, answer: bytes) -> bool:
        try:
            self.sock.send(answer)
        except OSError:
            return False
        return True

    def _say_no_more(self) -> bool:
        """Close our half alone: after a reset a client that is still sending reads no answer."""
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Close so that the answer arrives: unread input would turn the goodbye into a reset."""
        try:
            self.sock.shutdown(socket.SHUT_WR)
            for _ in range(_LONGEST_GOODBYE):
                if not self.sock.recv(4096):
                    break
        except OSError:
            pass
        self.sock.close()


def refuse(listeners: list[socket.socket], message: str) -> int:
    """Answer the connections in the queues with message; returns how many there were.

    Who comes when the queues have been emptied, as one who tries again at once, is left in there,
    and is a new attempt. The others are hurried then.
    """
    clients: dict[int, Client] = {}
    by_fd = {listener.fileno(): listener for listener in listeners}
    poll = select.poll()
    for fd, listener in by_fd.items():
        listener.setblocking(False)
        poll.register(fd, select.POLLIN)
    full = list(listeners)
    answered = 0
    deadline = time.monotonic() + _PATIENCE
    while (remaining := deadline - time.monotonic()) > 0:
        accepted = _accepted(full, message, deadline)
        answered += len(accepted)
        for client in accepted:
            clients[client.sock.fileno()] = client
            poll.register(client.sock, select.POLLIN)
        if not clients:
            break
        for fd, _ in poll.poll(min(remaining * 1000, 100)):
            if fd in by_fd:
                poll.unregister(fd)
                if by_fd[fd] not in full:
                    deadline = min(deadline, time.monotonic() + _HURRY)
            elif not clients[fd].advance():
                poll.unregister(fd)
                clients.pop(fd).close()
    for client in clients.values():
        client.close()
    return answered


def _accepted(queues: list[socket.socket], message: str, deadline: float) -> list[Client]:
    """Accept what is in the queues, and take away from the list those that are empty.

    They stay when there is no descriptor, or no memory, for another connection.
    """
    clients: list[Client] = []
    while queues and time.monotonic() < deadline:
        try:
            clients.append(Client(queues[0].accept()[0], message))
        except OSError as error:
            if error.errno in _FULL:
                break
            if error.errno not in _RESET:
                del queues[0]
    return clients


def reason(name: str, failure_file: str) -> str:
    """The sentence for the client."""
    try:
        with open(failure_file, encoding="utf-8", errors="replace") as file:
            why = file.read(1000).strip()
    except OSError:
        why = ""
    journal = scope.command("journalctl", "-u", f"pg-postgres@{name}")
    return f'sockwake: instance "{name}" cannot start: {why or "its start failed"} ({journal})'


def main(arguments: list[str]) -> int:
    """refuse NAME FAILURE_FILE, or refuse --because MESSAGE, with LISTEN_FDS in the environment."""
    import os

    from sockwake.lifecycle import handover

    first, second = arguments
    count = int(os.environ.get("LISTEN_FDS", "0"))
    listeners = [socket.socket(fileno=fd) for fd in range(_FIRST_FD, _FIRST_FD + count)]
    if first != "--because" and handover.hand_over(os.path.dirname(second), listeners):
        return 0
    message = second if first == "--because" else reason(first, second)
    tell(refuse(listeners, message), message)
    return 0


def tell(answered: int, message: str) -> None:
    """Say on stderr how many clients were told what."""
    clients = "1 client" if answered == 1 else f"{answered} clients"
    print(f"refused {clients}: {message}", file=sys.stderr)
