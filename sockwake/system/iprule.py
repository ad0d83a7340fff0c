"""Close a container's port to everything but its own loopback, by routing rules (ip-rule(8)).

Every local user and every other container reaches a container's address on a bridge, and so its
server, without the socket. Rules in the container's network namespace prohibit packets for its port
from outside; they vanish with the namespace. Numbers: linux/fib_rules.h, rtnetlink(7).
"""

from __future__ import annotations

import _socket
import os
import struct

from sockwake.errors import SockwakeError, reason
from sockwake.system import namespaces

_NEW, _DELETE = 32, 33  # RTM_NEWRULE, RTM_DELRULE
_REQUEST, _CREATE = 0x005, 0x600  # NLM_F_REQUEST | NLM_F_ACK, NLM_F_CREATE | NLM_F_EXCL
_LOOK_UP, _PROHIBIT = 1, 8  # FR_ACT_TO_TBL, FR_ACT_PROHIBIT
# FRA_IIFNAME, FRA_PRIORITY, FRA_IP_PROTO, FRA_DPORT_RANGE
_INTERFACE, _PRIORITY, _PROTOCOL, _PORTS = 3, 6, 22, 24
_LOCAL = 255  # RT_TABLE_LOCAL, which the kernel looks at first, with priority 0
_FIRST, _SECOND = 1, 2
_AF_NETLINK, _NETLINK_ROUTE = 16, 0
# done; ENOENT, EEXIST: a namespace that several containers share has the rule already
_DONE = (0, 2, 17)
_NO_SUCH_FAMILY = 97


def seclude(pid: int, port: int) -> None:
    """Close a TCP port in the network namespace of process pid to all but its loopback.

    Does nothing for a process in the host's namespace or without a network. Raises SockwakeError.
    """
    try:
        interfaces = _interfaces(pid)
        if not interfaces or namespaces.is_shared(pid):
            return
        sock = namespaces.socket_in(pid, _AF_NETLINK, _socket.SOCK_RAW, _NETLINK_ROUTE)
        try:
            for family in (_socket.AF_INET, _socket.AF_INET6):
                _prohibit(sock, family, interfaces, port)
        finally:
            sock.close()
    except OSError as error:
        raise SockwakeError(
            f"port {port} of its container cannot be closed to others: {reason(error)}"
        ) from None


def _prohibit(sock: _socket.socket, family: int, interfaces: list[str], port: int) -> None:
    """Add the rules of one family, and move the table of local addresses behind them."""
    tcp, ports = bytes([_socket.IPPROTO_TCP]), struct.pack("=HH", port, port)
    for interface in interfaces:
        only = (_INTERFACE, interface.encode() + b"\0"), (_PROTOCOL, tcp), (_PORTS, ports)
        _change(sock, _NEW, family, _PROHIBIT, 0, _FIRST, *only)
    _change(sock, _NEW, family, _LOOK_UP, _LOCAL, _SECOND)
    _change(sock, _DELETE, family, _LOOK_UP, _LOCAL, 0)


def _interfaces(pid: int) -> list[str]:
    """The names of a process's network interfaces without the loopback."""
    with open(f"/proc/{pid}/net/dev", encoding="ascii", errors="replace") as file:
        names = [line.partition(":")[0].strip() for line in file if ":" in line]
    return [name for name in names if name != "lo"]


def _change(
    sock: _socket.socket,
    what: int,
    family: int,
    action: int,
    table: int,
    priority: int,
    *more: tuple[int, bytes],
) -> None:
    """Add or delete one rule; raises OSError.

    A rule that is there (or gone) already, and a kernel without IPv6, are no errors.
    """
    body = struct.pack("=8BI", family, 0, 0, 0, table, 0, 0, action, 0)
    for kind, value in ((_PRIORITY, struct.pack("=I", priority)), *more):
        body += struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)
    flags = _REQUEST | (_CREATE if what == _NEW else 0)
    sock.send(struct.pack("=IHHII", 16 + len(body), what, flags, 0, 0) + body)
    code = -int(struct.unpack_from("=i", sock.recv(4096), 16)[0])
    if code not in _DONE and not (code == _NO_SUCH_FAMILY and family == _socket.AF_INET6):
        raise OSError(code, os.strerror(code))
