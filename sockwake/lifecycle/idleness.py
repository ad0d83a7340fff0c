"""What is measured of an instance that is awake, to decide whether it may sleep.

Where seconds of silence come from, each source where it applies:

- the monitor's note of when the last client left (lifecycle/monitor.py), where it keeps one;
- ss(8): when the last byte came or went on any connection; it knows no unix socket;
- the context switches of the proxy, which runs only to carry bytes;
- since when no client has been there, of a program that takes its clients itself.
"""

from __future__ import annotations

import time

from sockwake.clients import connections
from sockwake.lifecycle import proxy_netns
from sockwake.system import files, pids, ss

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from sockwake.config.instance import Instance
    from sockwake.config.settings import Settings

FOREVER = float("inf")
_BY_STANDING_STILL = 1  # context switch of a process that sleeps and is stopped


class Observation:
    """What one look has found; it does not change.

    began: when the look did, by time.monotonic().
    known: what tells each client from the others.
    connections: how many clients there were, counted after that: one that came in between is a
        newcomer.
    switches: the proxy's context switches.
    silent: seconds since the last byte from or to a client, or since a look has first found no
        client; FOREVER when the proxy has found that by itself, and has left.
    """

    __slots__ = ("began", "connections", "known", "silent", "switches")

    def __init__(
        self, *, began: float, known: set[str], connections: int, switches: int, silent: float
    ) -> None:
        self.began: Final = began
        self.known: Final = frozenset(known)
        self.connections: Final = connections
        self.switches: Final = switches
        self.silent: Final = silent


def look(instance: Instance, settings: Settings, proxy: int) -> Observation:
    """Measure everything; proxy: the process id of the proxy, or 0."""
    began = time.monotonic()
    switches = switches_of(proxy)
    known = connections.each(settings)
    count = connections.connected(settings)
    return Observation(
        began=began,
        known=known,
        connections=count,
        switches=switches,
        silent=seconds_silent(instance, settings, proxy, switches, count),
    )


def seconds_silent(
    instance: Instance, settings: Settings, proxy: int, switches: int, count: int
) -> float:
    """Seconds without a byte from or to a client.

    switches: the proxy's context switches. count: how many clients there are.
    """
    if not settings.counts_clients and not proxy:
        return FOREVER
    noted = since_last_client(instance)
    if noted is not None:
        return min(noted, since_last_byte(settings))
    if not settings.counts_clients:
        return since_change(instance, f"proxy {proxy} after {switches} switches")
    if count:
        forget_change(instance)
        return since_last_byte(settings)
    without_clients = since_change(instance, "no clients")
    if settings.has_unix_socket:
        return without_clients
    return min(without_clients, since_last_byte(settings))


def since_last_client(instance: Instance) -> float | None:
    """Seconds since the last client left; None where no monitor notes that."""
    try:
        return time.monotonic() - float(files.text_of(instance.last_visit))
    except ValueError:
        return None


def since_last_byte(settings: Settings) -> float:
    """Seconds since the last byte on any connection; 0 with a unix socket, where none is known."""
    if settings.has_unix_socket:
        return 0.0
    found = ss.each(settings.places)
    return min((connection.since_byte for connection in found), default=FOREVER)


def since_change(instance: Instance, state: str) -> float:
    """Seconds since a look has first found this state, and none has found another."""
    now = time.monotonic()
    before, _, since = files.text_of(instance.activity).partition("\n")
    if before == state:
        return now - float(since)
    files.replace_volatile(instance.activity, f"{state}\n{now}\n")
    return 0.0


def forget_change(instance: Instance) -> None:
    """Have since_change() begin anew, whatever it finds."""
    files.remove(instance.activity)


def switches_of(proxy: int) -> int:
    """The context switches of the proxy; 0 without one."""
    return sum(pids.switches(proxy)) if proxy else 0


def is_led_elsewhere(instance: Instance, settings: Settings) -> bool:
    """Whether no proxy that is started from now on leads to what runs: it was woken otherwise."""
    if settings.is_project:
        from sockwake.lifecycle import project  # late: few instances are one

        return files.exists(instance.ready_file) and not project.is_woken_for(instance, settings)
    return not settings.counts_clients and proxy_netns.is_led_elsewhere(instance)


def has_newcomers(settings: Settings, seen: Observation) -> bool:
    """Whether a client has come since a look; a check program may have taken its time."""
    return bool(connections.each(settings) - seen.known)


def has_carried(instance: Instance, settings: Settings, seen: Observation, proxy: int) -> bool:
    """Whether the proxy, which stands still, has carried anything for a client since a look.

    Where clients are noted, its switches do not count: a health check causes some, too.
    """
    if since_last_client(instance) is not None:
        return was_spoken_to(settings, seen)
    return switches_of(proxy) - seen.switches > _BY_STANDING_STILL


def was_spoken_to(settings: Settings, seen: Observation) -> bool:
    """Whether a byte has come or gone since a look, on a TCP connection that is still there."""
    if settings.has_unix_socket:
        return False
    return since_last_byte(settings) < time.monotonic() - seen.began
