"""One start of a program: whether it was awaited, and what the next one tells clients if it failed (bin/native)."""

from __future__ import annotations

import os

from sockwake.config.instance import Instance
from sockwake.system import files

_REFUSAL_COUNTS = 5  # seconds; later it is another client, who may find it repaired


def is_refusing() -> bool:
    """Whether this start is only there to refuse clients; bin/native decides alike."""
    return bool(os.environ.get("SOCKWAKE_REFUSAL")) and uptime() < int(
        os.environ.get("SOCKWAKE_REFUSAL_UNTIL", "0")
    )


def was_refusing(instance: Instance) -> bool:
    """Whether this start was, however long that took: nobody waited for the program."""
    return bool(os.environ.get("SOCKWAKE_REFUSAL")) and not _was_awaited(instance)


def uptime() -> int:
    """Seconds since the machine was started, whatever becomes of its clock; from where bin/native has them, too."""
    with open("/proc/uptime", encoding="ascii") as file:
        return int(file.read().partition(".")[0])


def has_said_why(instance: Instance) -> bool:
    """Whether who waited for this very run has left a reason."""
    return _was_awaited(instance) and os.path.exists(instance.failure_file)


def _was_awaited(instance: Instance) -> bool:
    """Whether somebody waited for this very run."""
    return _last_awaited(instance)[0] == os.environ.get("INVOCATION_ID")


def woke_just_now(instance: Instance) -> bool:
    return uptime() - int(_last_awaited(instance)[1]) < _REFUSAL_COUNTS


def _last_awaited(instance: Instance) -> tuple[str, str]:
    """Which run was last waited for, and since when."""
    try:
        run, since = files.text_of(awaited(instance)).split()
    except ValueError:
        return "", f"{-_REFUSAL_COUNTS}"
    return run, since


def awaited(instance: Instance) -> str:
    """A file that names the run that was last waited for."""
    return f"{instance.run}/awaited"


def refuse_next(instance: Instance, reason: str) -> None:
    """Have the next start, if it comes soon, tell the clients that wait why this one failed (bin/native), unless a proxy does."""
    if not takes_socket():
        return
    text = "".join(c if c.isprintable() and c not in '"\\' else " " for c in reason)
    sentence = f"sockwake: instance '{instance.name}' cannot start: {text} (journalctl -u {instance.backend_unit})"
    until = uptime() + _REFUSAL_COUNTS
    files.replace_volatile(
        refusal(instance), f'SOCKWAKE_REFUSAL="{sentence}"\nSOCKWAKE_REFUSAL_UNTIL={until}\n'
    )


def takes_socket() -> bool:
    """Whether it is a native one. instance.env may be what is broken."""
    return "SOCKWAKE_TAKES_SOCKET" in os.environ


def refusal(instance: Instance) -> str:
    """An EnvironmentFile= that tells bin/native to refuse."""
    return f"{instance.run}/refusal.env"
