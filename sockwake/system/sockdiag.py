"""Hear from the kernel of every connection to a port that closes, and of the bytes it received.

Source: sock_diag(7); the groups *_TCP_DESTROY of linux/sock_diag.h send a message for every TCP
connection that closes, with the tcp_info of linux/tcp.h, as `ss --events` shows. Needs no
privileges.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
    from collections.abc import Iterator, Sequence

    Places = Sequence[tuple[str, int]]  # addresses, or paths, of an instance, each with its port

_NETLINK_SOCK_DIAG = 4
_DESTROYED = 1 << 0 | 1 << 2  # SKNLGRP_INET_TCP_DESTROY, SKNLGRP_INET6_TCP_DESTROY
_SO_ATTACH_FILTER = 26
_LONGEST_MESSAGE = 8192  # bytes; one is 380
# linux/bpf_common.h
_LOAD_WORD, _LOAD_HALF, _LOAD_BYTE, _JUMP_IF_EQUAL, _GIVE = 0x20, 0x28, 0x30, 0x15, 0x06
# structs of linux/filter.h, with the sizes and gaps of the machine
_SOCK_FILTER, _SOCK_FPROG = "HBBI", "HP"
# struct nlmsghdr, struct inet_diag_msg, and behind them attributes, one of them a struct tcp_info
_OUR_PORT, _THEIR_PORT, _OUR_ADDRESS, _THEIR_ADDRESS, _ATTRIBUTES = 20, 22, 24, 40, 88
_NO_PORT = b"\0\0"  # of a listening socket, which is told, too
_FAMILY, _INET_DIAG_INFO, _BYTES_RECEIVED = 16, 2, 128


def listen(places: Places) -> int:
    """Open a descriptor for read() that hears of connections to TCP ports of addresses.

    Raises OSError where the kernel does not offer this.
    """
    import _socket

    sock = _socket.socket(
        _socket.AF_NETLINK, _socket.SOCK_RAW | _socket.SOCK_CLOEXEC, _NETLINK_SOCK_DIAG
    )
    _attach_filter(sock, places)
    sock.bind((0, _DESTROYED))
    sock.setblocking(False)
    return sock.detach()


def read(fd: int) -> Iterator[tuple[bytes, int]]:
    """(message, bytes) of every connection that has closed since the last call.

    message: for client_of(). bytes: that it received; a FIN counts as one. Raises OSError when the
    kernel had to drop messages.
    """
    while True:
        try:
            message = os.read(fd, _LONGEST_MESSAGE)
        except BlockingIOError:
            return
        if message[_THEIR_PORT : _THEIR_PORT + 2] != _NO_PORT:
            yield message, _received(message)


def _attach_filter(sock: _socket.socket, places: Places) -> None:
    """Let the kernel drop the messages of all other ports (socket(7), SO_ATTACH_FILTER)."""
    import struct
    from _socket import SOL_SOCKET
    from array import array  # late: 0.5 MB that the watcher does not need

    steps = _filter(places)
    program = array("B", b"".join(struct.pack(_SOCK_FILTER, *step) for step in steps))
    sock.setsockopt(
        SOL_SOCKET,
        _SO_ATTACH_FILTER,
        struct.pack(_SOCK_FPROG, len(steps), program.buffer_info()[0]),
    )


def _filter(places: Places) -> list[tuple[int, int, int, int]]:
    """The BPF program that passes only messages of a port at its address.

    A step is (code, jump if true, jump if false, operand); loads are big-endian.
    """
    from _socket import AF_INET, AF_INET6

    from sockwake.system import procnet

    passed, kept_back = (_GIVE, 0, 0, _LONGEST_MESSAGE), (_GIVE, 0, 0, 0)
    steps: list[tuple[int, int, int, int]] = []
    for address, port in places:
        if not (packed := procnet.octets(address)):
            continue
        family = AF_INET if len(packed) == 4 else AF_INET6
        tests = [(_LOAD_HALF, _OUR_PORT, port), (_LOAD_BYTE, _FAMILY, family)]
        for at in range(0, len(packed) if any(packed) else 0, 4):
            tests.append(
                (_LOAD_WORD, _OUR_ADDRESS + at, int.from_bytes(packed[at : at + 4], "big"))
            )
        for number, (load, where, value) in enumerate(tests, 1):
            to_the_next = 2 * (len(tests) - number) + 1
            steps += [(load, 0, 0, where), (_JUMP_IF_EQUAL, 0, to_the_next, value)]
        steps.append(passed)
    return [*steps, kept_back]


def client_of(message: bytes) -> str:
    """The client of a message from read(), as address:port."""
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
