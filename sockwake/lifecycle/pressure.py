"""Whether the machine has the memory for one more instance (PRESSURE= in instance.env).

Wakes that were let go and have not taken their memory yet are counted, so that fifty at once do not
all see the same free memory. Sources: proc_meminfo(5), and the kernel's "Pressure Stall
Information".
"""

from __future__ import annotations

import fcntl
import os
import time

from sockwake.system import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockwake.config.instance import Instance

_UNKNOWN = 64_000_000  # bytes for one that has not slept since the machine was started
_RESERVE = 0.05  # of the machine's memory, which stays free
_LEAST_RESERVE, _MOST_RESERVE = 64_000_000, 1_000_000_000  # bytes
_STALLED = 10.0  # per cent of the last ten seconds in which all processes waited for memory
_SETTLES = 5  # seconds in which a start takes its memory
_MB = 1_000_000


class Demand:
    """The memory of a machine, and what one wake asks of it, in bytes.

    available: what programs can have without swapping. promised: what wakes that were let go have
    still to take. reserve: what stays free. needed: what the instance had when it last fell asleep.
    stalled: per cent of the last ten seconds in which all processes waited for memory.
    """

    __slots__ = ("available", "needed", "promised", "reserve", "stalled")

    def __init__(
        self, available: int, needed: int, reserve: int, promised: int = 0, stalled: float = 0.0
    ) -> None:
        self.available = available
        self.needed = needed
        self.reserve = reserve
        self.promised = promised
        self.stalled = stalled

    @property
    def is_met(self) -> bool:
        free = self.available - self.promised - self.reserve
        return self.stalled < _STALLED and self.needed <= free

    def __str__(self) -> str:
        """What is missing, for the administrator."""
        if self.stalled >= _STALLED:
            return f"its processes wait for memory in {self.stalled:g} % of the time"
        return (
            f"{self.available // _MB} MB are available, {self.promised // _MB} MB of them promised "
            f"to other wakes; {self.needed // _MB} MB are needed, and {self.reserve // _MB} MB "
            "stay free"
        )


def admit(instance: Instance, longest: float = 0.0) -> Demand:
    """Ask for the memory of one wake, and have it counted as promised when the demand is met.

    longest: seconds that the wake may take; until its end the promise counts.
    """
    everything = os.open(os.path.dirname(instance.run), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(everything, fcntl.LOCK_EX)  # held for a moment only
        demand = _demand(instance, _promised_to_others(instance))
        if demand.is_met:
            until = time.clock_gettime(time.CLOCK_BOOTTIME) + _SETTLES
            note = f"{until:.3f} {demand.needed} {max(longest, _SETTLES):.3f}\n"
            files.replace_volatile(instance.promised_file, note)
    finally:
        os.close(everything)
    return demand


def _promised_to_others(instance: Instance) -> int:
    """The bytes that wakes of other instances have still to take."""
    folder, note = os.path.dirname(instance.run), os.path.basename(instance.promised_file)
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    found = 0
    for name in os.listdir(folder):
        words = files.text_of(f"{folder}/{name}/{note}").split() if name != instance.name else []
        try:
            until, taken, longest = words
            began = float(until) - _SETTLES
            if began > now + _SETTLES or now > began + float(longest):
                continue
            if now < float(until) or _is_waking(f"{folder}/{name}", began):
                found += int(taken)
        except ValueError:
            continue
    return found


def _is_waking(run: str, began: float) -> bool:
    """Whether a wake that was let go then has not come to an end yet: it may be slow.

    run: the directory of the instance in /run.
    """
    if any(os.path.exists(f"{run}/{end}") for end in ("ready", "failure")):
        return False
    try:
        return float(files.text_of(f"{run}/asleep-since") or 0) < began
    except ValueError:  # half a line
        return False


def _demand(instance: Instance, promised: int) -> Demand:
    memory = _meminfo()
    reserve = min(max(int(memory["MemTotal"] * _RESERVE), _LEAST_RESERVE), _MOST_RESERVE)
    return Demand(memory["MemAvailable"], _needed(instance), reserve, promised, _stalled())


def _needed(instance: Instance) -> int:
    """Bytes it had when it last fell asleep; _UNKNOWN when it has not since the boot."""
    noted = files.text_of(instance.memory_taken).strip()
    return int(noted) if noted.isdecimal() else _UNKNOWN


def _meminfo() -> dict[str, int]:
    """Bytes, by the names of proc_meminfo(5)."""
    found = {}
    with open("/proc/meminfo", encoding="ascii") as file:
        for line in file:
            name, _, rest = line.partition(":")
            found[name] = int(rest.split()[0]) * 1024
    return found


def _stalled() -> float:
    """See Demand; 0.0 on a kernel that does not tell."""
    try:
        with open("/proc/pressure/memory", encoding="ascii") as file:
            text = file.read()
    except OSError:
        return 0.0
    return float(text.partition("full avg10=")[2].partition(" ")[0] or 0)
