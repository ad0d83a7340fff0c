"""Which session of the server is behind each connection of a proxy.

systemd-socket-proxyd does nothing between accepting a client and making the socket to the server,
and the kernel numbers sockets (their inodes) one after the other: the second has the number behind
the first. Two sockets of one proxy of which that is true belong together; where it is not, because
the proxy was moved to another processor in between, nothing is told. The other end of the second is
the session's: of a unix socket ss(8) tells which, over TCP the port does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sockwake.system import files, namespaces, pidfd, port_owner, ss

_LOCAL, _INODE = 1, 9  # columns of /proc/net/tcp


def sessions(accepted: Iterable[int], proxy: int) -> dict[int, tuple[str, int]]:
    """What the server knows each session by, by the inode of the socket that was accepted for it.

    That is ("pid", of the server's process, as the server sees it) or ("client_port", N). None of
    what cannot be told, or not by this user. proxy: the process, 0 for none.
    """
    try:
        own = _own(proxy) if proxy else set()
        clients = own & set(accepted)
        pairs = {inode: inode + 1 for inode in clients if inode + 1 in own - clients}
        return _other_ends(pairs, proxy) if pairs else {}
    except OSError:  # it has ended, or is another user's
        return {}


def _own(pid: int) -> set[int]:
    """The inodes of a process's sockets."""
    names = (name for name in pidfd.named(pid) if name.startswith("socket:["))
    return {int(name.removeprefix("socket:[").removesuffix("]")) for name in names}


def _other_ends(pairs: Mapping[int, int], proxy: int) -> dict[int, tuple[str, int]]:
    ports = _ports(proxy)
    found = {
        inode: ("client_port", ports[to_server])
        for inode, to_server in pairs.items()
        if to_server in ports
    }
    if found:  # the others are not of unix sockets either
        return found
    peers = ss.unix_ends(0 if namespaces.is_shared(proxy) else proxy)
    owners = port_owner.owners()
    for inode, to_server in pairs.items():
        if pid := owners.get(f"socket:[{peers.get(to_server, 0)}]", 0):
            found[inode] = "pid", _as_it_sees_itself(pid)
    return found


def _ports(pid: int) -> dict[int, int]:
    """The local port of each TCP socket in the network of a process, by its inode."""
    lines = files.text_of(f"/proc/{pid}/net/tcp").splitlines()[1:]
    rows = [line.split() for line in lines]
    return {int(row[_INODE]): int(row[_LOCAL].rpartition(":")[2], 16) for row in rows}


def _as_it_sees_itself(pid: int) -> int:
    """The id of a process in its own namespace of processes."""
    lines = files.text_of(f"/proc/{pid}/status").splitlines()
    ids = next((line for line in lines if line.startswith("NSpid:")), f"NSpid: {pid}")
    return int(ids.split()[-1])
