"""A service that always runs, as `sockwake would-sleep` looks at it: by the kernel's tables alone.

It is found by a port, a unit or a container; what counts are the sockets that the processes of its
cgroup listen on, in its network namespace. Nothing of it is touched.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from sockwake.config import scope
from sockwake.engine import api
from sockwake.engine.api import Engine, EngineError, quoted
from sockwake.errors import UNKNOWN, SockwakeError
from sockwake.system import files, memory, namespaces, pidfd, pids, procnet, sockdiag, systemctl

_ESTABLISHED, _CLOSE_WAIT, _LISTENING = "01", "08", "0A"
_UNIX_ACCEPTING, _UNIX_CONNECTED = "00010000", "03"  # flags and state in /proc/net/unix
_UNITS = (".service", ".scope", ".slice")
_FORWARDERS = ("docker-proxy", "rootlessport", "conmon", "pasta", "slirp4netns")
_MANAGER = 1


@dataclass(frozen=True)
class Place:
    """Where a service listens. pid: a process of it. ports: of TCP. paths: of unix sockets."""

    pid: int
    ports: tuple[int, ...]
    paths: tuple[str, ...]


def find(word: str) -> Place:
    """The service that a port, a unit or a container's name stands for; raises SockwakeError."""
    if word.isascii() and word.isdigit():
        return _of_port(int(word))
    if word.endswith(_UNITS):
        return _of_unit(word)
    with suppress(SockwakeError):
        return _of_unit(f"{word}.service")
    return _of_container(word)


def _of_port(port: int) -> Place:
    inodes = procnet.on_port(port) if port < 65536 else set()
    if not inodes:
        raise SockwakeError(f"no program listens on port {port}", "ss -lt", UNKNOWN)
    pid = next((pid for pid in pids.every() if inodes & _sockets(pid)), 0)
    if not pid:
        raise SockwakeError(f"which program has port {port} cannot be seen", scope.as_root())
    program = files.text_of(f"/proc/{pid}/comm").strip()
    if pid == _MANAGER or program == "systemd":
        raise SockwakeError(f"port {port} is held by systemd, for a service that may sleep already")
    if program in _FORWARDERS:
        raise SockwakeError(f"port {port} is a container's", "name the container instead of it")
    return Place(pid, (port,), ())


def _of_unit(unit: str) -> Place:
    pid = systemctl.main_pid(unit)
    if not pid:
        raise SockwakeError(
            f"unit {unit} does not run", scope.command("systemctl", "list-units"), UNKNOWN
        )
    return _listening(pid, unit)


def _of_container(name: str) -> Place:
    for path in dict.fromkeys(map(api.socket_of, ("docker", "podman"))):
        if not os.path.exists(path):
            continue
        with suppress(EngineError, ValueError, KeyError, TypeError):
            answer = Engine(path).call("GET", f"/containers/{quoted(name)}/json", api.PATIENCE)
            pid = int(json.loads(answer)["State"]["Pid"])
            if pid:
                return _listening(pid, f"container {name}")
    raise SockwakeError(
        f"'{name}' is no port, and no unit or container that runs",
        "name a port, a unit as systemctl does, or a container as docker ps or podman ps does",
        UNKNOWN,
    )


def _listening(pid: int, what: str) -> Place:
    """All places where the processes of the cgroup of process pid listen; raises SockwakeError."""
    group = pids.cgroup(pid)
    own = [each for each in pids.every() if pids.is_within(pids.cgroup(each), group)]
    inodes = {name for each in (own or [pid]) for name in _sockets(each)}
    ports = {
        int(fields[1].rpartition(":")[2], 16)
        for fields in _tcp(pid)
        if fields[3] == _LISTENING and f"socket:[{fields[9]}]" in inodes
    }
    paths = {
        fields[7]
        for fields in _rows(pid, "unix")
        if len(fields) > 7 and fields[3] == _UNIX_ACCEPTING and f"socket:[{fields[6]}]" in inodes
    }
    if not ports and not paths:
        raise SockwakeError(
            f"{what} listens on no port, as far as can be seen", "root sees all of it"
        )
    return Place(pid, tuple(sorted(ports)), tuple(sorted(paths)))


def _sockets(pid: int) -> set[str]:
    try:
        return {name for name in pidfd.named(pid) if name.startswith("socket:")}
    except OSError:
        return set()


def _tcp(pid: int) -> Iterator[list[str]]:
    for table in procnet.TCP:
        yield from _rows(pid, table)


def _rows(pid: int, table: str) -> Iterator[list[str]]:
    """The rows of a table of a process's network namespace, split into fields."""
    for line in files.text_of(f"/proc/{pid}/net/{table}").splitlines()[1:]:
        yield line.split()


class Watch:
    """A service that is being watched. closed connections are heard of, if the kernel tells."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._open: frozenset[str] = frozenset()
        self._events = -1
        with suppress(OSError):
            self._events = self._listen()

    def _listen(self) -> int:
        places = [(host, port) for port in self.place.ports for host in ("0.0.0.0", "::")]
        if not places:
            return -1
        with _inside(self.place.pid):
            return sockdiag.listen(places)

    def look(self) -> tuple[frozenset[str], int]:
        """The connections that are open, and how many came and went since the last look."""
        ports = set(self.place.ports)
        tcp = {
            f"{fields[1]} {fields[2]}"
            for fields in _tcp(self.place.pid)
            if fields[3] in (_ESTABLISHED, _CLOSE_WAIT)
            and int(fields[1].rpartition(":")[2], 16) in ports
        }
        unix = {
            f"unix {fields[6]}"
            for fields in _rows(self.place.pid, "unix")
            if len(fields) > 7 and fields[5] == _UNIX_CONNECTED and fields[7] in self.place.paths
        }
        ended = self._ended()
        known = {each for each in self._open if not each.startswith("unix ")} - tcp
        self._open = frozenset(tcp | unix)
        return self._open, max(ended - len(known), 0)

    def _ended(self) -> int:
        """How many TCP connections have ended since the last look."""
        if self._events < 0:
            return 0
        try:
            return sum(1 for _ in sockdiag.read(self._events))
        except OSError:  # the kernel had to drop some
            return 1

    @property
    def memory(self) -> memory.Memory | None:
        return memory.of(self.place.pid)

    @property
    def has_ended(self) -> bool:
        return not os.path.exists(f"/proc/{self.place.pid}/net/tcp")


@contextmanager
def _inside(pid: int) -> Iterator[None]:
    """In the network namespace of a process, if that is another; raises OSError."""
    if namespaces.is_shared(pid):
        yield
        return
    ours, theirs = (
        os.open(f"/proc/{each}/ns/net", os.O_RDONLY | os.O_CLOEXEC) for each in ("self", pid)
    )
    try:
        namespaces.enter(theirs)
        try:
            yield
        finally:
            namespaces.enter(ours)
    finally:
        os.close(theirs)
        os.close(ours)
