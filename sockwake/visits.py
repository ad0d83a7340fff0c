"""Who has been connected to a port, and whether he said anything: told by the kernel when a connection is gone.

Source: sock_diag(7); the groups *_TCP_DESTROY of linux/sock_diag.h send one message for every TCP connection that ends,
with the tcp_info of linux/tcp.h. `ss --events` shows the same. Every user may listen.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
    from collections.abc import Iterator

_AF_NETLINK, _NETLINK_SOCK_DIAG = 16, 4
_DESTROYED = 1 << 0 | 1 << 2  # SKNLGRP_INET_TCP_DESTROY, SKNLGRP_INET6_TCP_DESTROY
_SOL_SOCKET, _SO_ATTACH_FILTER = 1, 26
_LONGEST_MESSAGE = 8192  # bytes; one is 380
# struct nlmsghdr, struct inet_diag_msg, and behind them attributes, one of them a struct tcp_info
_OUR_PORT, _THEIR_PORT, _THEIR_ADDRESS, _ATTRIBUTES = 20, 22, 40, 88
_FAMILY, _INET_DIAG_INFO, _BYTES_RECEIVED = 16, 2, 128


def listen(port: int) -> int:
    """A descriptor that hears of connections to a TCP port of this host. Raises OSError where the kernel does not tell of
    them."""
    import _socket

    sock = _socket.socket(_AF_NETLINK, _socket.SOCK_RAW | _socket.SOCK_CLOEXEC, _NETLINK_SOCK_DIAG)
    _attach_filter(sock, port)
    sock.bind((0, _DESTROYED))
    sock.setblocking(False)
    return sock.detach()


def read(fd: int) -> Iterator[tuple[bytes, int]]:
    """(message, bytes) of every client that has gone since: who it was is client_of(message), and a goodbye (FIN) counts
    as a byte. Raises OSError when there were more than the kernel could keep."""
    while True:
        try:
            message = os.read(fd, _LONGEST_MESSAGE)
        except BlockingIOError:
            return
        yield message, _received(message)


def _attach_filter(sock: _socket.socket, port: int) -> None:
    """Have the kernel keep what is of other ports to itself (socket(7), SO_ATTACH_FILTER): a busy host has many."""
    from array import array  # 0.5 MB, which the watcher must not carry

    load_half, jump_if_equal, give = 0x28, 0x15, 0x06  # linux/bpf_common.h
    program = array("B")
    for code, if_true, if_false, k in (
        (load_half, 0, 0, _OUR_PORT),
        (jump_if_equal, 0, 1, port),
        (give, 0, 0, _LONGEST_MESSAGE),
        (give, 0, 0, 0),
    ):
        program.frombytes(_int(code, 2) + bytes((if_true, if_false)) + _int(k, 4))
    address, size = program.buffer_info()
    sock.setsockopt(_SOL_SOCKET, _SO_ATTACH_FILTER, _int(size // 8, 8) + _int(address, 8))


def client_of(message: bytes) -> str:
    """address:port."""
    from _socket import AF_INET, inet_ntop

    family, port = message[_FAMILY], int.from_bytes(message[_THEIR_PORT : _THEIR_PORT + 2], "big")
    host = inet_ntop(family, message[_THEIR_ADDRESS:][: 4 if family == AF_INET else 16])
    return f"{host}:{port}" if family == AF_INET else f"[{host}]:{port}"


def _received(message: bytes) -> int:
    at = _ATTRIBUTES
    while at + 4 <= len(message):
        length = int.from_bytes(message[at : at + 2], sys.byteorder)
        if int.from_bytes(message[at + 2 : at + 4], sys.byteorder) == _INET_DIAG_INFO:
            return int.from_bytes(message[at + 4 + _BYTES_RECEIVED :][:8], sys.byteorder)
        at += max(4, length + 3 & ~3)
    return 0


def _int(value: int, size: int) -> bytes:
    return value.to_bytes(size, sys.byteorder)
