"""The queue of a server's unix socket, made as long as the one at the port in front of it.

systemd-socket-proxyd takes a full queue for a server that is not there, and drops its client: connect(2) does not wait
for a place at a unix socket. PostgreSQL's queue has two for each of max_connections, others' have five in all.
"""

from __future__ import annotations

import _socket

from sockwake import descriptors

_LONGEST = 65535  # of which the kernel gives net.core.somaxconn


def lengthen(pid: int) -> None:
    """Give every unix socket that process pid listens on the longest queue there is; raises OSError.

    That is all a second listen(2) does, but for one thing: SO_PEERCRED of a new client's end names this process then.
    """
    for sock in descriptors.sockets(pid):
        try:
            if sock.family == _socket.AF_UNIX and sock.getsockopt(_socket.SOL_SOCKET, _socket.SO_ACCEPTCONN):
                sock.listen(_LONGEST)
        finally:
            sock.close()
