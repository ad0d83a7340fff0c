"""The proxy passes its listening sockets to the waker (unix(7)) when no client waits."""

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


def asked_or_turned_away(instance: Instance, settings: Settings, lock: int) -> str:
    """As whose to take a wake without a client, for a command or a hold; "" for nobody's.

    Then the connections in the queue have been closed, and the wake lock has been released.
    """
    from sockwake.lifecycle import asker, proxy_netns  # late: a proxy needs only hand_over()
    from sockwake.system import sdnotify

    if client := asker.waits(instance, settings):
        return client
    handover = Handover(instance)
    sdnotify.notify("READY=1\nSTATUS=closing connections that sent nothing")
    os.close(lock)
    handover.turn_away(settings)
    handover.close()
    proxy_netns.forget(instance)
    return ""


class Handover:
    """The unix socket at which the proxy hands over its listening sockets, until it is closed."""

    def __init__(self, instance: Instance) -> None:
        self._name = instance.name
        self._path = instance.handover_socket
        self._left = instance.nobody_file
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._sock.bind(self._path)
        os.chmod(self._path, 0o666)  # for the proxy's user; the directory above is closed to others
        self._sock.listen(1)
        self._sock.settimeout(_PROXY_COMES_WITHIN)

    def turn_away(self, settings: Settings) -> int:
        """Take the proxy's listening sockets and close the connections in their queues.

        Stops at the first client. Returns the descriptor of the connection to the proxy, -1 when
        that did not come. The proxy ends when it is closed; a waker leaves it open, and so ends
        first: a client that comes after the proxy's end finds no backend that is still ending.
        """
        try:
            proxy, _ = self._sock.accept()
        except TimeoutError:
            # the backend was started by hand, or the proxy comes late: then it leaves again, and
            # what is in the queue makes systemd start both anew
            files.replace_volatile(self._left, "")
            return -1
        _, descriptors, _, _ = socket.recv_fds(proxy, 1, _MOST_ADDRESSES)
        strangers.turn_away([socket.socket(fileno=fd) for fd in descriptors], settings, self._name)
        return proxy.detach()

    def close(self) -> None:
        """Remove the socket; a proxy in its queue by now waits for the end of this process."""
        self._sock.detach()
        os.unlink(self._path)


def hand_over(run: str, listeners: list[socket.socket]) -> bool:
    """Hand the listening sockets to the waker, and wait for its end.

    run: the instance's runtime directory. Returns False when the wake has failed: no waker listens.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        try:
            sock.connect(f"{run}/door")
            socket.send_fds(sock, [b"."], [listener.fileno() for listener in listeners])
            sock.recv(1)
        except OSError:
            # there after the waker has waited in vain: then no client is refused
            return os.path.exists(f"{run}/nobody")
    return True
