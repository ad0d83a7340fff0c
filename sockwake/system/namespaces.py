"""Network namespaces of other processes: sockets in them, and entering them (setns(2))."""

import _socket
import os
import sys

from sockwake.config import scope

_CLONE_NEWNET, _CLONE_NEWNS = 0x40000000, 0x00020000  # sched.h
_SIZE_OF_INT = 4  # a descriptor in a message (unix(7))


def is_shared(pid: int) -> bool:
    """Whether process pid is in our own network namespace, as every process of the host is."""
    return os.path.samestat(os.stat("/proc/self/ns/net"), os.stat(f"/proc/{pid}/ns/net"))


def leave_sandbox() -> None:
    """Enter the network and mount namespaces of process 1.

    systemd 257 runs a command with "+" of a sandboxed unit as root without a sandbox, but in the
    unit's namespaces, where no other process would see what it mounts.
    """
    for kind, flag in (("net", _CLONE_NEWNET), ("mnt", _CLONE_NEWNS)):
        namespace = os.open(f"/proc/1/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            enter(namespace, flag)
        finally:
            os.close(namespace)


def connect(pid: int, port: int, timeout: float) -> _socket.socket:
    """Connect to a loopback port in the network namespace of process pid; raises OSError.

    timeout: seconds for this and for every later step on the connection.
    """
    sock = stream_in(pid)
    sock.settimeout(timeout)
    try:
        sock.connect(("127.0.0.1", port))
    except BaseException:
        sock.close()
        raise
    return sock


def stream_in(pid: int) -> _socket.socket:
    """Open a TCP socket in the network namespace of process pid; raises OSError."""
    if not scope.is_user():
        return socket_in(pid, _socket.AF_INET, _socket.SOCK_STREAM)
    theirs = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return _sent_from(theirs)
    finally:
        os.close(theirs)


def socket_in(pid: int, family: int, kind: int, protocol: int = 0) -> _socket.socket:
    """Open a socket in the network namespace of process pid; raises OSError."""
    ours, theirs = (
        os.open(f"/proc/{process}/ns/net", os.O_RDONLY | os.O_CLOEXEC) for process in ("self", pid)
    )
    try:
        enter(theirs)
        try:
            return _socket.socket(family, kind | _socket.SOCK_CLOEXEC, protocol)
        finally:
            enter(ours)
    finally:
        os.close(theirs)
        os.close(ours)


def _sent_from(namespace: int) -> _socket.socket:
    """Open a socket in a network namespace from a child, which sends it here; raises OSError.

    For a rootless process, whose setns() back to the host's namespace would fail.
    """
    here, there = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
    child = os.fork()
    if not child:
        try:
            enter(namespace)
            sock = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
            rights = sock.fileno().to_bytes(_SIZE_OF_INT, sys.byteorder)
            there.sendmsg([b"."], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)])
        finally:
            os._exit(0)
    there.close()
    try:
        received = here.recvmsg(1, _socket.CMSG_SPACE(_SIZE_OF_INT), _socket.MSG_CMSG_CLOEXEC)[1]
    finally:
        here.close()
        os.waitpid(child, 0)
    if not received:
        raise OSError("its network namespace cannot be entered")
    return _socket.socket(fileno=int.from_bytes(received[0][2][:_SIZE_OF_INT], sys.byteorder))


def enter(namespace: int, kind: int = _CLONE_NEWNET) -> None:
    """setns(2) for this thread."""
    if sys.version_info >= (3, 12):
        os.setns(namespace, kind)
    else:
        import ctypes

        if ctypes.CDLL(None, use_errno=True).setns(namespace, kind):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
