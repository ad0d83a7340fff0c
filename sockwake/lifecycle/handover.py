"""Where the proxy passes its listening sockets to the waker (SCM_RIGHTS, unix(7)) when there is no client to wake for."""

from __future__ import annotations

import os
import socket

from sockwake.clients import strangers
from sockwake.system import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockwake.config.instance import Instance
    from sockwake.config.settings import Settings

_PROXY_COMES_WITHIN = 10.0  # seconds
_MOST_ADDRESSES = 64  # of one instance


class Handover:
    """The place where the proxy hands over its listening sockets, until it is closed."""

    def __init__(self, instance: Instance) -> None:
        self._path = instance.handover_socket
        self._left = instance.nobody_file
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._sock.bind(self._path)
        os.chmod(
            self._path, 0o666
        )  # for the proxy's user; nobody else gets into the directory above
        self._sock.listen(1)
        self._sock.settimeout(_PROXY_COMES_WITHIN)

    def turn_away(self, settings: Settings) -> None:
        """Accept and close, one by one, until there is nobody, or a client: for that one the socket starts all anew."""
        try:
            self._proxy, _ = self._sock.accept()  # open until this process has ended
        except TimeoutError:
            # there is none, as the backend was started by hand; or it comes late, and then leaves again: whoever is in the
            # queue makes the socket start all anew, and has the next proxy waited for as long
            files.replace_volatile(self._left, "")
            return
        strangers.turn_away(
            [
                socket.socket(fileno=fd)
                for fd in socket.recv_fds(self._proxy, 1, _MOST_ADDRESSES)[1]
            ],
            settings,
        )

    def close(self) -> None:
        os.unlink(self._path)


def hand_over(run: str, listeners: list[socket.socket]) -> bool:
    """Hand the listening sockets to the waker, and wait for its end; False when it wants none, as its wake has failed.

    run: the instance's runtime directory.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        try:
            sock.connect(f"{run}/door")
            socket.send_fds(sock, [b"."], [listener.fileno() for listener in listeners])
            sock.recv(1)
        except OSError:
            return os.path.exists(
                f"{run}/nobody"
            )  # it has waited in vain: the clients are not refused
    return True
