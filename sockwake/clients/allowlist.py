"""ALLOW, the addresses that clients may have: whether systemd really keeps the others out, and how many it has.

The kernel drops their packets before anything sees them (IPAddressDeny= of the socket, systemd.resource-control(5)), and
counts them with the listening socket.
"""

from __future__ import annotations

from sockwake.clients import connections
from sockwake.errors import SockwakeError
from sockwake.system import files, journal, ss

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockwake.config.instance import Instance
    from sockwake.config.settings import Settings


def require_enforced(settings: Settings) -> None:
    """Raise SockwakeError when somebody is in the queue who should never have come that far: without BPF in its kernel
    systemd warns, and opens the port to all."""
    if not settings.allow:
        return
    from ipaddress import ip_address, ip_network  # 8 ms, for who filters addresses

    try:
        # systemd takes 10.0.0.5/8 for 10.0.0.0/8
        networks = [ip_network(item, strict=False) for item in settings.allow]
    except ValueError as error:
        raise SockwakeError(f"ALLOW: {error}") from None
    for visitor in connections.queue(settings):
        host = visitor.remote.rpartition(":")[0].strip("[]")
        if host and not any(ip_address(host) in network for network in networks):
            raise SockwakeError(
                f"{host} is not in ALLOW and came through: this system filters no addresses",
                "systemd needs a kernel with BPF for cgroups",
            )


def note_dropped(instance: Instance, settings: Settings) -> None:
    """Say in the journal how many there have been since the last time."""
    if not settings.allow:
        return
    path, count = f"{instance.run}/dropped", ss.dropped(settings.places)
    try:
        before = int(files.text_of(path))
    except ValueError:
        before = 0
    if count != before:
        files.replace_volatile(path, f"{count}\n")
    if since := count - before if count >= before else count:  # less when the port was opened anew
        journal.say(
            f"dropped {since} packet{'' if since == 1 else 's'} from addresses that are not allowed"
        )
