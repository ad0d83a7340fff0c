"""Where the port of an instance is open by now.

instance.env may name another place already, which is opened by `sockwake apply`: who is connected
at the old one until then would not be seen, and so be let go.
"""

from __future__ import annotations

import os

from sockwake.system import procnet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockwake.config.instance import Instance
    from sockwake.config.settings import Settings

_FIRST_FD = 3  # SD_LISTEN_FDS_START


def accepting_unit(instance: Instance, settings: Settings) -> str:
    """The unit that accepts clients: the proxy, or a native program."""
    return instance.backend_unit if settings.is_native else instance.proxy_unit


def at(settings: Settings, places: tuple[tuple[str, int], ...]) -> Settings:
    """A copy of the settings with other places of its port."""
    import copy  # of few looks

    seen = copy.copy(settings)
    seen.listen, seen.places = tuple(dict.fromkeys(item for item, _ in places)), places
    return seen


def as_open(settings: Settings, pid: int) -> Settings:
    """The settings with the places at which process pid accepts clients.

    They are as before where that cannot be seen: without a process (0), of a program that has its
    sockets elsewhere, of a user's proxy, which is in another user namespace.
    pid: of systemd-socket-proxyd, or of a program that takes systemd's sockets.
    """
    own = _passed(pid)
    if settings.is_native:  # behind these are its own
        own = own[: len(settings.places)]
    if own:
        listeners = procnet.listeners()
        found = [listeners[inode] for inode in own if inode in listeners]
        if found and set(map(_key, found)) != set(map(_key, settings.places)):
            return at(settings, tuple(found))
    return settings


def _key(place: tuple[str, int]) -> tuple[bytes | str, int]:
    item, port = place
    return (item, 0) if item.startswith("/") else (procnet.octets(item), port)


def _passed(pid: int) -> list[str]:
    """The inodes of the sockets that systemd has passed to a process, sd_listen_fds(3)."""
    found = []
    fd = _FIRST_FD
    while pid:
        try:
            name = os.readlink(f"/proc/{pid}/fd/{fd}")
        except OSError:
            break
        if not name.startswith("socket:["):
            break
        found.append(name[len("socket:[") : -1])
        fd += 1
    return found
