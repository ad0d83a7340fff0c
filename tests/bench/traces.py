"""What is left of an instance when it should be asleep, and how to wait until nothing is."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass

import engine_client

ASLEEP_TIMEOUT_S = 30.0
QUIET_TIMEOUT_S = 1.5
QUIET_SHARE = 0.15  # of all cores, over one window
QUIET_WINDOW_S = 0.1
SHIM, FORWARDER = "containerd-shim", "docker-proxy"


class BenchError(Exception):
    """The bench itself cannot go on; the message names what it waited for."""


@dataclass(frozen=True)
class Process:
    """One process, with what tells which instance it belongs to."""

    pid: int
    cgroup: str
    command: str


def processes() -> list[Process]:
    """Every process that has a command line: no kernel threads, no zombies."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        command = read(f"/proc/{entry}/cmdline").replace("\0", " ").strip()
        if command:
            found.append(Process(int(entry), read(f"/proc/{entry}/cgroup").strip(), command))
    return found


def of_instances(names: Sequence[str]) -> list[Process]:
    """The processes of these instances, and every shim and port forwarder there is."""
    own = [word for name in names for word in (f"@{name}.service", f"/{name}/", f"sockwake-{name}")]
    return [
        process
        for process in processes()
        if process.pid != os.getpid()
        and (
            any(word in f"{process.cgroup} {process.command}" for word in own)
            or is_container(process)
        )
    ]


def is_container(process: Process) -> bool:
    """Whether it is in a container, or is what the engine runs beside one."""
    program = os.path.basename(process.command.split(" ", 1)[0])
    return program.startswith((SHIM, FORWARDER)) or "/docker-" in process.cgroup


def active_units(patterns: Sequence[str]) -> list[str]:
    """Units of these names that are not inactive, sockets apart."""
    shown = subprocess.run(
        ["systemctl", "list-units", "--all", "--no-legend", "--plain", *patterns],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    rows = [line.split(None, 4) for line in shown.splitlines()]
    return [
        row[0]
        for row in rows
        if len(row) > 3 and row[2] != "inactive" and not row[0].endswith(".socket")
    ]


def left(names: Sequence[str], patterns: Sequence[str]) -> list[str]:
    """Everything that runs although these instances should be asleep."""
    units = active_units(patterns)
    if units:  # the rest is only worth its cost, to us and to what is stopping, behind this
        return units
    found = [f"process {process.pid} ({process.command[:80]})" for process in of_instances(names)]
    return found + [f"container {container['Names'][0]}" for container in engine_client.running()]


def await_asleep(names: Sequence[str], patterns: Sequence[str]) -> None:
    """Wait until nothing runs; raises BenchError naming what does."""
    deadline = time.monotonic() + ASLEEP_TIMEOUT_S
    while remains := left(names, patterns):
        if time.monotonic() > deadline:
            raise BenchError(f"still awake after {ASLEEP_TIMEOUT_S:.0f} s: {', '.join(remains)}")
        time.sleep(0.1)


def await_quiet() -> bool:
    """Wait, but not for long, until the cores have little to do; False when they did not."""
    deadline = time.monotonic() + QUIET_TIMEOUT_S
    while time.monotonic() < deadline:
        before = _cpu_times()
        time.sleep(QUIET_WINDOW_S)
        idle, total = (after - earlier for after, earlier in zip(_cpu_times(), before, strict=True))
        if total and 1 - idle / total <= QUIET_SHARE:
            return True
    return False


def cgroup_of(unit: str) -> str:
    """The cgroup folder of a unit; it exists while something of the unit runs."""
    template, at, _ = unit.partition("@")
    named = "sockwake" if template == "pg-proxy" else template.replace("-", "\\x2d")
    slices = f"system-{named}.slice/" if at else ""
    return f"/sys/fs/cgroup/system.slice/{slices}{unit}"


def members(unit: str) -> list[int]:
    """The processes of a unit."""
    return [int(pid) for pid in read(f"{cgroup_of(unit)}/cgroup.procs").split()]


def read(path: str) -> str:
    """The text of a file that may be gone."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def _cpu_times() -> tuple[int, int]:
    """(idle, all) ticks of all cores of the host, as other machines on it disturb us too."""
    ticks = [int(word) for word in read("/proc/stat").split("\n", 1)[0].split()[1:9]]
    return ticks[3] + ticks[4], sum(ticks)


def run(*argv: str) -> str:
    """The output of a command; raises BenchError."""
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=600)
    if done.returncode:
        raise BenchError(f"{' '.join(argv)} failed: {done.stderr.strip()}")
    return done.stdout
