"""Lead the clients of a forwarded instance to the server that they are for now.

pg-proxy@NAME.service runs this in place of bin/proxy while /etc/sockwake/NAME/forward is there,
which is its standard input. A client waits in the queue of the port until one of the targets leads.
systemd-socket-proxyd then takes the listening sockets, which systemd has passed (sd_listen_fds(3)),
and carries connections to that target, while this watches over it: when another leads, those to the
one before are ended, as HAProxy does it for Patroni, and the next clients wait again. Without
clients both end, and systemd listens alone.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from typing import NoReturn

from sockwake.config import forwarding as forwardings
from sockwake.config.forwarding import TCP, Forwarding, Target
from sockwake.errors import SockwakeError
from sockwake.lifecycle import targets
from sockwake.system import process

_PROXY = "/usr/lib/systemd/systemd-socket-proxyd"
_FIRST_FD = 3  # SD_LISTEN_FDS_START
_CLIENT_WITHIN = 1.0  # seconds; systemd starts this for a client, which is there
_LEADER_WITHIN = 60.0  # seconds that a client waits; Patroni takes about 40 to miss a leader
_LOOK_EVERY = 0.5  # seconds while no target leads
_IDLE = 60  # seconds without a connection
_GRACE = 5.0  # seconds for systemd-socket-proxyd to end
# seconds between two looks at the one that leads; one that is only asked for a connection may write
# every one into its log
_WATCH_EVERY, _WATCH_TCP_EVERY = 1.0, 5.0
_MOST = 10000  # as bin/proxy


class Forwarder:
    """The forwarding of one instance. count: how many listening sockets it has."""

    def __init__(self, name: str, forwarding: Forwarding, count: int) -> None:
        self._name = name
        self._forwarding = forwarding
        self._listeners = select.poll()
        for fd in range(_FIRST_FD, _FIRST_FD + count):
            self._listeners.register(fd, select.POLLIN)

    def run(self) -> None:
        """Serve clients until there is none; raises SockwakeError when no target leads."""
        while self._listeners.poll(_CLIENT_WITHIN * 1000):
            target, address = self._await_leader()
            _say(f"clients are led to {target}")
            pid = process.begin_with_sockets(_proxy(address, target.port))
            if self._has_ended(pid, target, address):
                return
            _say(f"{target} does not lead any more")

    def _await_leader(self) -> tuple[Target, str]:
        """The target that leads, and its address; raises SockwakeError when none does in time."""
        deadline = time.monotonic() + _LEADER_WITHIN
        while True:
            target = targets.leader(self._forwarding)
            if target and (address := targets.reached(target)):
                return target, address
            if time.monotonic() > deadline:
                raise SockwakeError(
                    f"{nobody(self._name, self._forwarding)} ({_LEADER_WITHIN:g} s)"
                )
            time.sleep(_LOOK_EVERY)

    def _has_ended(self, pid: int, target: Target, address: str) -> bool:
        """Wait until the proxy has ended by itself, or, False, was ended: its target has gone."""
        is_tcp = self._forwarding.check.scheme == TCP
        every = _WATCH_TCP_EVERY if is_tcp else _WATCH_EVERY
        child = os.pidfd_open(pid)
        ended = select.poll()
        ended.register(child, select.POLLIN)
        try:
            while not ended.poll(every * 1000):
                if not self._leads(target, address):
                    signal.pidfd_send_signal(child, signal.SIGTERM)
                    if not ended.poll(_GRACE * 1000):
                        signal.pidfd_send_signal(child, signal.SIGKILL)
                    os.waitpid(pid, 0)
                    return False
            os.waitpid(pid, 0)
            return True
        finally:
            os.close(child)

    def _leads(self, target: Target, address: str) -> bool:
        """Whether the target still leads, at the address where the clients are.

        Its name may have others, and no resolver is needed. One whose Patroni says nothing, as in
        an upgrade of Patroni, does as long as its server takes connections and no other target
        says that it leads.
        """
        shown = targets.sight(target, self._forwarding.check, address)
        if shown != targets.SILENT:
            return shown == targets.LEADS
        if targets.leader(self._forwarding) not in (None, target):
            return False
        return bool(targets.reached(target, address))


def nobody(name: str, forwarding: Forwarding) -> str:
    """The sentence for a client that has waited in vain; it names no target."""
    if len(forwarding.targets) == 1:
        return f"instance '{name}' is forwarded to a server that takes no connections"
    return (
        f"instance '{name}' is forwarded to {len(forwarding.targets)} servers, none of which leads"
    )


def _proxy(address: str, port: int) -> list[str]:
    """The command that carries connections to a target.

    By its address, as the proxy tries only the first of a name's; and that has no brackets there.
    """
    limit = os.environ.get("SOCKWAKE_MAX_CLIENTS", "")
    most = int(limit) - 1 if limit.isdigit() else _MOST
    options = [f"--connections-max={most}", f"--exit-idle-time={_IDLE}"]
    return [_PROXY, *options, f"{address}:{port}"]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _refuse(message: str) -> NoReturn:
    """Become what tells every client that waits why it is not served."""
    process.become("refuse", "--because", f"sockwake: {message}")


def main(arguments: list[str]) -> int:
    """forward NAME, with the file "forward" as standard input, and LISTEN_FDS."""
    (name,) = arguments
    count = int(os.environ.get("LISTEN_FDS", "0"))
    try:
        forwarding = forwardings.parse(sys.stdin.read(), f"the file forward of '{name}'")
        Forwarder(name, forwarding, count).run()
    except SockwakeError as error:
        _refuse(error.message)
    return 0
