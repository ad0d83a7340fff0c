"""ALLOW, the addresses that clients may have: whether systemd enforces it, and what was dropped.

The kernel drops the packets of other addresses before any program sees them (IPAddressDeny= of the
socket, systemd.resource-control(5)), and counts them with the listening socket.
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
    """Raise SockwakeError when a connection in the accept queue is from an address not in ALLOW.

    Without BPF in its kernel systemd warns, and opens the port to all.
    """
    if not settings.allow:
        return
    from ipaddress import ip_address, ip_network  # 8 ms, only where addresses are filtered

    try:
        # systemd takes 10.0.0.5/8 for 10.0.0.0/8
        networks = [ip_network(item, strict=False) for item in settings.allow]
    except ValueError as error:
        raise SockwakeError(f"ALLOW: {error}") from None
    for queued in connections.queue(settings):
        host = queued.remote.rpartition(":")[0].strip("[]")
        if host and not any(ip_address(host) in network for network in networks):
            raise SockwakeError(
                f"{host} is not in ALLOW and came through: this system filters no addresses",
                "systemd needs a kernel with BPF for cgroups",
            )


def note_dropped(instance: Instance, settings: Settings) -> None:
    """Write to the journal how many packets were dropped since the last time."""
    if not settings.allow:
        return
    path, count = f"{instance.run}/dropped", ss.dropped(settings.places)
    try:
        before = int(files.text_of(path))
    except ValueError:
        before = 0
    if count != before:
        files.replace_volatile(path, f"{count}\n")
    has_begun_anew = count < before  # the port was opened again
    if since := count if has_begun_anew else count - before:
        packets = "packet" if since == 1 else "packets"
        journal.say(f"dropped {since} {packets} from addresses that are not allowed")
