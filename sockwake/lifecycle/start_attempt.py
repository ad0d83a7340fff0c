"""One start of a program: whether it was awaited, and what the next tells clients."""

from __future__ import annotations

import os

from sockwake.config import scope
from sockwake.config.instance import Instance
from sockwake.system import files, procnet

_REMOTE = 2  # the column of the other end in /proc/net/tcp
_VERDICTS = "/run/sockwake.wanted"  # SOCKWAKE_VERDICT= is in there
_REFUSAL_COUNTS = 5  # seconds; a later client may find the program repaired


def is_refusing() -> bool:
    """Whether this start is only there to refuse clients; bin/when-wanted decides alike."""
    return bool(os.environ.get("SOCKWAKE_REFUSAL")) and uptime() < int(
        os.environ.get("SOCKWAKE_REFUSAL_UNTIL", "0")
    )


def was_refusing(instance: Instance) -> bool:
    """Whether this start refused clients, however long that took: it did not run the program."""
    return bool(os.environ.get("SOCKWAKE_REFUSAL")) and not _was_awaited(instance)


def uptime() -> int:
    """Whole seconds since the boot, as bin/when-wanted counts."""
    return int(since_boot())


def since_boot() -> float:
    """Seconds since the boot, whatever becomes of the clock, as scripts and units read them.

    Of a container of LXC that is its own: CLOCK_BOOTTIME counts since the boot of its host.
    """
    with open("/proc/uptime", encoding="ascii") as file:
        return float(file.read().partition(" ")[0])


def has_said_why(instance: Instance) -> bool:
    """Whether `program await` has left a reason for the failure of this very run."""
    return _was_awaited(instance) and os.path.exists(instance.failure_file)


def _was_awaited(instance: Instance) -> bool:
    """Whether `program await` has waited for this very run."""
    return _last_awaited(instance)[0] == os.environ.get("INVOCATION_ID")


def woke_just_now(instance: Instance) -> bool:
    """Whether the start that was last waited for is a few seconds old."""
    return uptime() - int(_last_awaited(instance)[1]) < _REFUSAL_COUNTS


def _last_awaited(instance: Instance) -> tuple[str, str]:
    """The invocation id of the run that was last waited for, and since which uptime()."""
    try:
        run, since = files.text_of(_awaited(instance)).split()
    except ValueError:
        return "", f"{-_REFUSAL_COUNTS}"
    return run, since


def note(instance: Instance) -> None:
    """Note that this very run is waited for."""
    run = os.environ.get("INVOCATION_ID", "")
    files.replace_volatile(_awaited(instance), f"{run} {uptime()}")


def _awaited(instance: Instance) -> str:
    """The path of the file with the run that is waited for."""
    return f"{instance.run}/awaited"


def refuse_next(instance: Instance, reason: str) -> None:
    """Let the next start, if it comes soon, tell clients why this one failed (bin/when-wanted).

    Only where the program takes the socket itself: a proxy tells its clients by itself.
    """
    if not takes_socket():
        return
    text = "".join(c if c.isprintable() and c not in '"\\' else " " for c in reason)
    where = scope.command("journalctl", "-u", instance.backend_unit)
    sentence = f"sockwake: instance '{instance.name}' cannot start: {text} ({where})"
    until = uptime() + _REFUSAL_COUNTS
    lines = f'SOCKWAKE_REFUSAL="{sentence}"\nSOCKWAKE_REFUSAL_UNTIL={until}\n'
    files.replace_volatile(refusal(instance), lines)


def takes_socket() -> bool:
    """Whether it is a native instance, by its unit: instance.env may be what is broken."""
    return "SOCKWAKE_TAKES_SOCKET" in os.environ


def ends_anyhow() -> bool:
    """Whether an end is in order that was asked for, whatever the exit status; by its unit."""
    return "SOCKWAKE_ENDS_ANYHOW" in os.environ


def refusal(instance: Instance) -> str:
    """An EnvironmentFile= that tells bin/when-wanted to refuse."""
    return f"{instance.run}/refusal.env"


def client_seen() -> str:
    """The client for which pg-wanted@ has had this program started, as address:port, or ""."""
    if "SOCKWAKE_LOOKED_BESIDE" not in os.environ:
        return ""
    row = files.text_of(f"{os.environ['SOCKWAKE_VERDICT']}.client").split()
    return procnet.address(row[_REMOTE]) if len(row) > _REMOTE else ""


def forget(instance: Instance) -> None:
    """Remove what looks for its clients have left: another of this name may be of another kind."""
    if scope.is_user():
        return  # whose programs are not looked for
    for name in (instance.name, f"{instance.name}.client"):
        files.remove(f"{_VERDICTS}/{name}")


def forget_verdict() -> None:
    """Remove what bin/await has left for bin/when-wanted, if this unit has these.

    What a unit beside it has left may be of the next run, and is removed by that unit.
    """
    if "SOCKWAKE_LOOKED_BESIDE" in os.environ:
        return
    if verdict := os.environ.get("SOCKWAKE_VERDICT"):
        files.remove(verdict)
