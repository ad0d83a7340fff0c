"""Who has asked for a wake for which no client has come: a command, a hold, or its hours."""

from __future__ import annotations

from sockwake.clients import connections
from sockwake.errors import SockwakeError
from sockwake.lifecycle import wakes
from sockwake.system import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockwake.config.instance import Instance
    from sockwake.config.settings import Settings

_LATE = 60  # seconds beside the start's own that systemd may take to begin with it


def note(instance: Instance) -> None:
    """Note before a start that the user of this process wants it, by `sockwake wake`."""
    from sockwake.lifecycle import hold, runtime

    runtime.make_directories(instance)
    line = f"{wakes.now():.2f} {hold.user()}{wakes.BY_COMMAND}\n"
    files.replace_volatile(instance.asked_file, line)


def forget(instance: Instance) -> None:
    """Remove the note of a start that has failed; a wake that succeeds does it itself."""
    files.remove(instance.asked_file)


def waits(instance: Instance, settings: Settings) -> str:
    """As which of connections.UNSEEN to take a start that a command or a hold wants, or "".

    A port scan may have come first: systemd starts the backend once for both.
    """
    from sockwake.lifecycle import holds

    try:
        is_asked = bool(_by_command(instance, settings.start_timeout + _LATE))
    except (OSError, ValueError):
        is_asked = False
    return connections.UNSEEN[1] if is_asked or holds.is_held(instance) else ""


def of_wake(instance: Instance, settings: Settings, client: str, took: float) -> str:
    """Who has asked for a wake that took so many seconds, for a client of connections.UNSEEN.

    client: as which it stays known when that cannot be told. What a command has noted is for this
    wake alone, and is removed: one that is stopped at once keeps no books.
    """
    try:
        if settings.has_unix_socket and connections.connected(settings):
            return client
        by_command = _by_command(instance, took + settings.start_timeout + _LATE)
        forget(instance)
        return by_command or _by_hold(instance) or client
    except (OSError, ValueError, SockwakeError):
        pass
    return client


def _by_command(instance: Instance, longest: float) -> str:
    """Who has noted that a command wants this wake, not more than so many seconds ago, or ""."""
    at, _, who = files.text_of(instance.asked_file).strip().partition(" ")
    return who if who and wakes.now() - float(at) <= longest else ""


def _by_hold(instance: Instance) -> str:
    """The newest hold, in words; "" without one."""
    from sockwake.lifecycle import holds

    taken = max(holds.holds(instance), key=lambda each: each.since, default=None)
    if not taken:
        return ""
    why = f": {taken.reason}" if taken.reason else ""
    own = f"its hours ({taken.who})"
    return own if taken.is_of_hours else f"{wakes.BY_HOLD}{taken.holder}{why}"
