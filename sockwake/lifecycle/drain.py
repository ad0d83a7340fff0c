"""Put an instance to sleep by an administrator's wish, without losing a client that comes then."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from sockwake.clients import connections, listening, peers
from sockwake.config.instance import Instance
from sockwake.config.settings import Settings
from sockwake.errors import IN_USE, SockwakeError
from sockwake.system import sigstop, systemctl
from sockwake.system.standstill import standstill

_LOOK_EVERY = 0.1  # seconds
_MOST_NAMED = 5  # clients
_LONGEST_END = 900.0  # seconds; twice TimeoutStopSec= of pg-postgres@.service


def begin(
    instance: Instance, settings: Settings, *, force: bool, hint: str, served: bool = False
) -> None:
    """Have systemd stop the backend, and return without waiting for that.

    served: that clients count only while the backend runs; others wait in the queue all along.

    What accepts its clients stands still while they are counted, and accepts none behind that: a
    client that comes now waits in the queue of the port, and wakes the instance again.
    Raises SockwakeError (in use) when clients are connected, unless force.
    """
    if force:
        systemctl.stop_later(instance.backend_unit)
        return
    accepting = listening.accepting_unit(instance, settings)
    seen = as_open(instance, settings)  # before: a client that comes meanwhile counts
    with standstill(accepting):
        require_none(instance, seen, hint, served=served)
        _end_accepting(accepting, instance)
        systemctl.stop_later(instance.backend_unit)


@contextmanager
def standing_still(instance: Instance, accepting: str) -> Iterator[None]:
    """Have the unit that accepts clients accept none, and end it behind that, without the backend.

    A client that comes meanwhile waits in the queue of the port. After an error it goes on.
    """
    with standstill(accepting):
        yield
        _end_accepting(accepting, instance)


def _end_accepting(accepting: str, instance: Instance) -> None:
    """End the unit that accepts clients and stands still; it accepts none when it goes on."""
    if accepting == instance.backend_unit:
        sigstop.signal_first_thread(accepting)
    else:
        systemctl.signal(accepting, "HUP", all_processes=True)  # which it does not catch


def end_backend(instance: Instance) -> None:
    """Stop the backend by itself, and wait until it is down; its proxy goes on.

    Whatever starts it anew has to be held back, and so only takes the place of the stop in the
    queue of systemd.
    """
    deadline = time.monotonic() + _LONGEST_END
    while not is_down(instance):
        if time.monotonic() > deadline:
            raise SockwakeError(f"{instance.backend_unit} does not stop")
        systemctl.stop_alone(instance.backend_unit)
        time.sleep(_LOOK_EVERY)


def require_no_clients(
    instance: Instance, settings: Settings, hint: str, *, served: bool = False
) -> None:
    """Raise SockwakeError (in use) that tells who is connected. served: as in begin()."""
    require_none(instance, as_open(instance, settings), hint, served=served)


def as_open(instance: Instance, settings: Settings) -> Settings:
    """The settings with the places where clients are accepted by now, for require_none()."""
    unit = listening.accepting_unit(instance, settings)
    return listening.as_open(settings, systemctl.main_pid(unit))


def require_none(
    instance: Instance, settings: Settings, hint: str, *, served: bool = False
) -> None:
    """Do the same at the places in the settings, at once. settings: from as_open()."""
    count = connections.connected(settings)
    if not count or (served and not systemctl.main_pid(instance.backend_unit)):
        return
    found = peers.described(settings)
    more = f" and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
    who = f": {', '.join(found[:_MOST_NAMED])}{more}" if found else ""
    plural = "s" if count > 1 else ""
    raise SockwakeError(
        f"instance '{instance.name}' has {count} connected client{plural}{who}", hint, IN_USE
    )


def wait(instance: Instance, seconds: float) -> bool:
    """Wait until the backend has stopped; False when a client has woken it again meanwhile.

    Raises SockwakeError after so many seconds.
    """
    deadline = time.monotonic() + seconds
    while systemctl.is_ending(instance.backend_unit):
        if time.monotonic() > deadline:
            raise SockwakeError(
                f"instance '{instance.name}' is not asleep after {seconds:g} s, "
                "and goes on shutting down"
            )
        time.sleep(_LOOK_EVERY)
    return is_down(instance)


def is_down(instance: Instance) -> bool:
    """Whether the backend does not run."""
    return systemctl.is_down(instance.backend_unit)
