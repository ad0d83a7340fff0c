"""The last wakes of an instance: when, by which client, and how soon after it had fallen asleep.

A client can be as quick as to come when the silent ones were let go and nothing is asleep yet: that
is no wake, and the idle check notes it apart.

Written by the wake itself. When it fell asleep is noted by what systemd runs behind the end of a
backend (ExecStopPost= of pg-postgres@NAME.service), the first time after each wake: what is turned
away afterwards, or fails to start, has not slept in between.
"""

from __future__ import annotations

import os

from sockwake.clients import connections
from sockwake.lifecycle import start_attempt
from sockwake.system import files, journal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Final

    from sockwake.config.instance import Instance
    from sockwake.system.memory import Memory

_MOST = 16  # wakes that are kept
_AN_HOUR = 3600  # seconds
_SOON = 30  # seconds
_UNKNOWN = "-"
_MB = 1_000_000  # bytes
# who has asked for a wake, in the place of its client
BY_COMMAND, BY_HOLD, BY_HOURS = " with 'sockwake wake'", "the hold of ", "its hours ("
_OFTEN = 3  # wakes by one client, each soon after it fell asleep: it does not let it sleep


class Wake:
    """One wake. at: seconds since the boot. slept: seconds before it, None when not known."""

    __slots__ = ("at", "client", "slept")

    def __init__(self, at: float, slept: float | None, client: str) -> None:
        self.at: Final = at
        self.slept: Final = slept
        self.client: Final = client

    @property
    def is_soon(self) -> bool:
        """Whether the instance had only just fallen asleep."""
        return self.slept is not None and self.slept <= _SOON

    @property
    def is_of_client(self) -> bool:
        """Whether a client has come, so that it may be one that comes too often."""
        is_of_hold = self.client.startswith((BY_HOLD, BY_HOURS))
        return not is_of_hold and not self.client.endswith(BY_COMMAND)

    @property
    def host(self) -> str:
        """The client's address without its port; a description where it had none."""
        host, colon, port = self.client.rpartition(":")
        return host.strip("[]") if colon and port.isdigit() else self.client


def note(instance: Instance, client: str, took: float) -> None:
    """Add the wake that has just succeeded, and took so many seconds."""
    at = now() - took
    try:
        slept = f"{max(at - float(files.text_of(instance.asleep_since)), 0):.2f}"
    except ValueError:  # it was never noted, or only half
        slept = _UNKNOWN
    _add(instance.wakes_file, f"{at:.2f} {slept} {client}")
    files.remove(instance.asleep_since)
    files.remove(instance.asked_file)


def note_return(instance: Instance, came: Collection[str]) -> None:
    """Note who came when the silent clients had just been let go, so that it stays awake.

    came: as connections.each() has them.
    """
    if came:
        client = next((each for each in came if ":" in each), connections.UNSEEN[0])
        journal.say(f"{client} came at once: it stays awake")
        _add(_returns(instance), f"{now():.2f} 0 {client}")


def _returns(instance: Instance) -> str:
    """The path of the file with those, as wakes that came 0 seconds after it had fallen asleep."""
    return f"{instance.run}/returns"


def _add(path: str, line: str) -> None:
    """Add a line to a file that keeps the last ones."""
    kept = files.text_of(path).splitlines()[1 - _MOST :]
    files.replace_volatile(path, "\n".join([*kept, line]) + "\n")


def phases(times: list[tuple[str, float]]) -> str:
    """(name, seconds) of each phase of a wake, in words and milliseconds: "engine 250, web 31"."""
    return ", ".join(f"{phase} {1000 * took:.0f}" for phase, took in times)


def tell(instance: Instance, client: str, took: float, phases: str) -> str:
    """Say in the journal who woke it, and in how many seconds; returns that without the phases().

    client: "" for a trial, which the history does not have.
    """
    journal.aside(files.replace_volatile, instance.wake_file, f"{took:.3f}\n{phases}\n")
    how = f"woken by {client}" if client else "tried out"
    told = f"{how} in {1000 * took:.0f} ms"
    sentence = f"{told} ({phases})" if phases else told
    if client:
        facts = {"client": client, "took": f"{took:.3f}", "phases": phases}
        journal.aside(lambda: journal.record("wake", instance.name, sentence, **facts))
    else:
        journal.aside(journal.say, sentence)
    return told


def duration(instance: Instance) -> tuple[float | None, dict[str, float]]:
    """How many seconds the last wake took, and each of its phases; None when it is not known."""
    took, _, phases = files.text_of(instance.wake_file).partition("\n")
    words = [phase.rpartition(" ") for phase in phases.strip().split(", ") if phase]
    try:
        return float(took), {name: int(number) / 1000 for name, _, number in words}
    except ValueError:
        return None, {}


def note_sleep(instance: Instance) -> None:
    """Note that it has fallen asleep; the unit of a container does that in sh."""
    try:
        with open(instance.asleep_since, "x", encoding="ascii") as file:
            file.write(f"{now():.2f}\n")
    except FileExistsError:
        pass


def record_sleep(instance: Instance, memory: Memory | None = None, why: str = "") -> None:
    """Write to the journal that one that was awake has fallen asleep, for `sockwake history`.

    memory: what it had just before. why: the failure that has ended it, or "".
    """
    awake = seconds_awake(instance)
    is_stopped = start_attempt.takes_socket() and not (memory or why)  # else its check had noted it
    said = "" if awake is None else f" after {awake:.0f} s"
    if memory:
        said += f", with {memory.own / _MB:.1f} MB"
        journal.aside(files.replace_volatile, instance.memory_taken, f"{memory.own}\n")
    if memory and memory.cache is not None:
        said += f" and {memory.cache / _MB:.1f} MB of page cache"
    journal.record(
        "sleep",
        instance.name,
        f"asleep{said}",
        awake=None if awake is None else f"{awake:.1f}",
        memory=memory and memory.own,
        cache=memory and memory.cache,
        why=why,
        stopped="yes" if is_stopped else "",
    )


def seconds_awake(instance: Instance) -> float | None:
    """Seconds since the last wake began; None when it is not known, or was tried out only."""
    if os.path.exists(instance.asleep_since):  # that of the sleep before
        return None
    try:
        last = files.text_of(instance.wakes_file).splitlines()[-1]
        return max(now() - float(last.split(" ", 1)[0]), 0)
    except (IndexError, ValueError):
        return None


def awake(instances: Collection[Instance]) -> dict[str, float]:
    """For how many seconds each of those that are awake has been, by its name."""
    found = {each.name: seconds_awake(each) for each in instances}
    return {name: seconds for name, seconds in found.items() if seconds is not None}


def in_the_last_hour(instance: Instance) -> list[Wake]:
    """The wakes of the last hour that are known, the oldest first."""
    return [wake for wake in known(instance) if now() - wake.at <= _AN_HOUR]


def returns(instance: Instance) -> list[Wake]:
    """The same of the clients for which it has not fallen asleep."""
    return [each for each in _listed(_returns(instance)) if now() - each.at <= _AN_HOUR]


def known(instance: Instance) -> list[Wake]:
    """The wakes that are known, the oldest first."""
    return _listed(instance.wakes_file)


def _listed(path: str) -> list[Wake]:
    found = []
    for line in files.text_of(path).splitlines():
        try:
            at, slept, client = line.split(" ", 2)
            wake = Wake(float(at), None if slept == _UNKNOWN else float(slept), client)
        except ValueError:
            continue  # half a line
        found.append(wake)
    return found


def facts(wakes: list[Wake], returns: list[Wake]) -> dict[str, object]:
    """What sockwake status --json says of them."""
    return {
        "wakes": len(wakes),
        "wakes_within_seconds": round(_span(wakes)),
        "wakes_soon_after_sleep": sum(wake.is_soon for wake in wakes),
        "returns_when_let_go": len(returns),
        "flapping_client": flapping_client([*wakes, *returns]),
    }


def flapping_client(wakes: list[Wake]) -> str | None:
    """The client that wakes the instance time and again when it has just fallen asleep, if any."""
    soon = [wake.host for wake in wakes if wake.is_soon and wake.is_of_client]
    most = max(soon, key=soon.count, default="")
    return most if soon.count(most) >= _OFTEN else None


def sentence(wakes: list[Wake], returns: list[Wake]) -> str:
    """What sockwake status says of them; "" when there were none."""
    if not (wakes or returns):
        return ""
    span = _span(wakes)
    when = "hour" if span == _AN_HOUR else f"{max(round(span / 60), 1)} min"
    said = f"{len(wakes)} in the last {when}"
    soon = sum(wake.is_soon for wake in wakes)
    if not (client := flapping_client([*wakes, *returns])):
        return said
    if soon or not returns:
        said += f", {soon} of them within {_SOON} s after it fell asleep"
    if returns:
        said += f", and kept from falling asleep {len(returns)} times"
    return (
        f"{said}, by {client}: "
        "a pool that keeps a minimum of connections (let it keep none), or a monitor that asks "
        "(let it only connect); or give the instance a longer IDLE"
    )


def now() -> float:
    """Seconds since the boot, whatever becomes of the clock; those of /proc/uptime."""
    return start_attempt.since_boot()


def _span(wakes: list[Wake]) -> float:
    """The seconds that the wakes are all of: an hour, unless older ones of it were dropped."""
    return _AN_HOUR if len(wakes) < _MOST else now() - wakes[0].at
