"""Close the connections that are no clients before a program is started (bin/wanted).

That has found no client in the port's queue, but a connection there made systemd start the unit.
The listening sockets are copied from process 1: no program accepts from them yet. So are
those of an instance that is held back (service/pressure.py) until its client has left.
"""

from __future__ import annotations

import os
import socket
import sys

from sockwake.clients import strangers
from sockwake.config.instance import Instance, Name
from sockwake.config.settings import load
from sockwake.errors import SockwakeError, failure
from sockwake.lifecycle import runtime
from sockwake.system import files, namespaces, pidfd, procnet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockwake.config.settings import Settings

_SYSTEMD = 1


def main(arguments: list[str]) -> int:
    """turn-away NAME. Whatever is wrong, the program is started, and that start tells it."""
    os.umask(0o022)
    try:
        if "SOCKWAKE_VERDICT" in os.environ:  # bin/await looks, in the program's network
            namespaces.leave_sandbox()
        instance = Instance(Name(arguments[0]))
        settings = load(instance)
        if not is_wanted(instance, settings, sockets(settings)):
            start_nothing(instance)
    except (SockwakeError, OSError) as error:
        print(failure(error), file=sys.stderr)
    return 0


def is_wanted(instance: Instance, settings: Settings, listeners: list[socket.socket]) -> bool:
    """Whether a client waits, or it was started for none: by hand, by a command or for a hold.

    listeners: from sockets(). Closes the connections there when none is a client's. An empty queue
    tells that it was started by hand; another may have come just before that.
    """
    if not strangers.not_empty(listeners):
        return True
    if strangers.turn_away(listeners, settings, instance.name):
        return True
    from sockwake.lifecycle import asker

    return bool(asker.waits(instance, settings))


def start_nothing(instance: Instance) -> None:
    """Make the start condition of program and proxy fail.

    A connection that comes from now on stays in the queue, and makes systemd start both anew.
    """
    runtime.make_directories(instance)
    files.replace_volatile(instance.nobody_file, "")


def sockets(settings: Settings) -> list[socket.socket]:
    """The listening sockets of the instance's addresses, without another's on the same port.

    Raises OSError when systemd cannot be seen.
    """
    places = {(procnet.octets(item), port) for item, port in settings.places}
    found = []
    for port in {port for _, port in places}:
        for sock in pidfd.sockets(_SYSTEMD, procnet.on_port(port)):
            if (procnet.octets(sock.getsockname()[0]), port) in places:
                found.append(socket.socket(fileno=sock.detach()))
            else:
                sock.close()
    return found
