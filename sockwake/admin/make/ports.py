"""TCP ports that are taken: claimed by an instance or a host's PostgreSQL cluster, or bound.

And unix sockets: systemd would take the path of one away from who listens there.
"""

import glob
import os
import re
import socket
from collections.abc import Sequence

from sockwake.admin import inventory
from sockwake.config import scope
from sockwake.errors import EXISTS, SockwakeError, reason
from sockwake.system import files, port_owner, procnet

FIRST = 25432
_CLUSTER_PORT = re.compile(
    r"^\s*port\s*=?\s*'?(\d{1,5})\b", re.MULTILINE | re.IGNORECASE | re.ASCII
)
_LISTENS_ON = re.compile(r"^PORT=(\d{1,5})$", re.MULTILINE | re.ASCII)
_PATHS = re.compile(r"^LISTEN=(.*)$", re.MULTILINE)
_OF_PROJECT = re.compile(r"^PORTS=(.*)$", re.MULTILINE)
_BACKEND_PORT = re.compile(r"^BACKEND_PORT=(\d{1,5})$", re.MULTILINE | re.ASCII)
# where the backend's own network is said: of a program, and of a container
_PRIVATE = re.compile(
    r"^\s*(?:PrivateNetwork\s*=\s*(yes|true|on|y|t|1)|NetworkNamespacePath\s*=\s*\S+)\s*$",
    re.MULTILINE | re.IGNORECASE,
)
_HOSTS = re.compile(r"""^[^#\n]*\bnetwork_mode["']?\s*:\s*["']?host\b""", re.MULTILINE)
_HINT = "leave out --port to take the next free one"
_LAST = 32767  # the kernel's ephemeral ports begin behind it, by default


def claims(root: str = "", *, but: str = "") -> dict[int, str]:
    """Every claimed port and its claimant, but those of the instance of one name.

    A broken instance.env still claims the port it names.
    """
    claimed = {}
    for path in sorted(glob.glob(f"{glob.escape(root)}/etc/postgresql/*/*/postgresql.conf")):
        version, cluster = path.split("/")[-3:-1]
        for port in _CLUSTER_PORT.findall(files.text_of(path)) or ["5432"]:
            claimed[int(port)] = f"the PostgreSQL cluster {version}/{cluster}"
    if scope.is_user():  # the system's instances are on the same host
        for path in glob.glob("/etc/sockwake/*/instance.env"):
            for port in _ports(path.rpartition("/")[0]):
                claimed[port] = (
                    f"the system's instance '{path.split('/')[-2].removeprefix('.new-')}'"
                )
    for instance in (*inventory.unfinished(root), *inventory.instances(root)):
        for port in _ports(instance.etc) if instance.name != but else ():
            claimed[port] = f"instance '{instance.name}'"
    return claimed


def _ports(etc: str) -> list[int]:
    """The ports of the host that the instance in a directory claims."""
    text = files.text_of(f"{etc}/instance.env")
    found = _LISTENS_ON.findall(text) + (_BACKEND_PORT.findall(text) if is_on_host(etc) else [])
    for ports in _OF_PROJECT.findall(text):
        found += re.findall(r":(\d{1,5})=", ports)
    return [int(port) for port in found]


def is_on_host(etc: str) -> bool:
    """Whether its backend is in the host's network, in doubt True: the files may be broken."""
    service, compose = (files.text_of(f"{etc}/{name}") for name in ("service.conf", "compose.yaml"))
    return bool(_HOSTS.search(compose)) or (not compose and not _PRIVATE.search(service))


def next_free(addresses: Sequence[str], root: str = "", *, but: int = 0) -> int:
    """The first free port from FIRST on, except but.

    Ephemeral ports are taken only where the administrator lets them begin before _LAST: the kernel
    gives a port that is listened on to no outgoing connection.
    """
    claimed = {**claims(root), but: ""}
    last = max(_LAST, _first_ephemeral() - 1)
    for port in range(FIRST, last + 1):
        if port not in claimed and (root or not _holder(port, addresses)):
            return port
    raise SockwakeError(f"no port from {FIRST} to {last} is free", "--port takes any other")


def require_free(
    port: int, addresses: Sequence[str], root: str = "", *, owner: str = "", hint: str = _HINT
) -> None:
    """Raise SockwakeError (exists) when the port is taken; in a tree only claims count.

    owner: the instance that may have claimed it itself.
    """
    claimed = claims(root, but=owner)
    if port in claimed:
        raise SockwakeError(f"port {port} is already claimed by {claimed[port]}", hint, EXISTS)
    if not root and (why := _holder(port, addresses)):
        raise SockwakeError(f"port {port} cannot be bound: {why}", hint, EXISTS)


def require_free_sockets(listen: Sequence[str], root: str = "", *, owner: str = "") -> None:
    """Raise SockwakeError (exists) when a unix socket among the places of LISTEN= is taken.

    In a tree only claims count. owner: the instance that may have claimed it itself.
    """
    wanted = {_real(item): item for item in listen if item.startswith("/")}
    every = (*inventory.unfinished(root), *inventory.instances(root)) if wanted else ()
    for instance in every:
        text = files.text_of(instance.env_file) if instance.name != owner else ""
        theirs = {_real(each) for line in _PATHS.findall(text) for each in line.split(",")}
        for path in sorted(wanted.keys() & theirs):
            message = f"socket {wanted[path]} is already claimed by instance '{instance.name}'"
            raise SockwakeError(message, "choose another path", EXISTS)
    for path, item in wanted.items() if not root else ():
        for row in (*procnet.NOW.unix(path), *procnet.NOW.unix(item)):
            if procnet.accepts(row):
                raise SockwakeError(
                    f"socket {item} is in use by {_owner_of(row)}", "choose another path", EXISTS
                )


def _real(path: str) -> str:
    """The path of a socket, which may not be there, without links to its directory."""
    directory, name = os.path.split(path)
    return os.path.join(os.path.realpath(directory), name)


def _owner_of(row: Sequence[str]) -> str:
    """The process that has a unix socket, by its row in the kernel's table."""
    name = f"socket:[{row[procnet.UNIX_INODE]}]"
    return port_owner.described(port_owner.owners().get(name, 0))


def _holder(port: int, addresses: Sequence[str]) -> str:
    """Why the port cannot be bound to one of the addresses or to a loopback, or ""."""
    for address in dict.fromkeys(("127.0.0.1", "::1", *addresses)):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        try:
            with socket.socket(family, socket.SOCK_STREAM) as sock:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                sock.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
                sock.bind((address, port))
        except OSError as error:
            if address in addresses or error.errno not in _NO_SUCH_FAMILY:
                return f"{address} says {reason(error)}"
    return ""


def _first_ephemeral() -> int:
    return int((files.text_of("/proc/sys/net/ipv4/ip_local_port_range").split() or ["32768"])[0])


_IP_FREEBIND = 15  # linux/in.h; an address may come later than the boot does
_NO_SUCH_FAMILY = (97, 99)  # EAFNOSUPPORT, EADDRNOTAVAIL: a host without IPv6
