"""Whether anybody is there to start the program of an instance for: pg-wanted@NAME.service, before each of its starts.

bin/wanted has found no client in the port's queue. Who else is in there made systemd start the unit all the same, and is
hung up on here. The listening sockets are systemd's, and so taken from process 1: no program has them yet.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import sys

from sockwake.clients import strangers
from sockwake.config.instance import Instance, Name
from sockwake.config.settings import load
from sockwake.errors import SockwakeError
from sockwake.lifecycle import runtime
from sockwake.system import files, pidfd, procnet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockwake.config.settings import Settings

_SYSTEMD = 1


def main(arguments: list[str]) -> int:
    """turn-away NAME. What cannot be seen is for the start itself to say."""
    os.umask(0o022)
    try:
        instance = Instance(Name(arguments[0]))
        if not is_wanted(instance):
            _start_nothing(instance)
    except (SockwakeError, OSError) as error:
        print(error, file=sys.stderr)
    return 0


def is_wanted(instance: Instance) -> bool:
    """Whether a client waits, or somebody starts the unit by hand; raises SockwakeError or OSError when that cannot be seen."""
    settings = load(instance)
    sockets = _of_systemd(settings)
    return not strangers.waited_at(sockets) or strangers.turn_away(sockets, settings)


def _start_nothing(instance: Instance) -> None:
    """Tell systemd, which starts program and proxy on that condition. Who comes from now on stays in the queue, and makes
    the socket start all anew."""
    runtime.make_directories(instance)
    files.replace_volatile(instance.nobody_file, "")


def _of_systemd(settings: Settings) -> list[socket.socket]:
    """The listening sockets of the instance's addresses. Another instance may have the same port at another one."""
    addresses = {ipaddress.ip_address(item) for item in settings.listen if not item.startswith("/")}
    found = []
    for sock in pidfd.sockets(_SYSTEMD, procnet.on_port(settings.port)):
        if ipaddress.ip_address(sock.getsockname()[0]) in addresses:
            found.append(socket.socket(fileno=sock.detach()))
        else:
            sock.close()
    return found
