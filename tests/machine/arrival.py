"""Waiting, never for ever, until a machine is up, down, or up again."""

from __future__ import annotations

import sys
import time

import session
from failure import Failure
from guest import Machine

# A second or two is usual; a host that is busy with several other machines may take long.
UP_TIMEOUT_S = 120.0
DOWN_TIMEOUT_S = 60.0


def up(machine: Machine, docker: bool = True, before: int | None = None) -> None:
    """Return when systemd says running and Docker answers.

    docker: whether it is a machine of this tool's, in which no unit may fail. `before`: the
    process 1 of a guest on its way down, which does not count.
    """
    deadline = time.monotonic() + UP_TIMEOUT_S
    hint = f"what it said: {machine.console}"
    state = _running(machine, deadline, before)
    if state == "degraded":
        argv = ["systemctl", "--failed", "--plain", "--no-legend", "--no-pager"]
        _, lines = session.ask(machine, argv, 10)
        failed = ", ".join(line.split()[0] for line in lines.splitlines())
        failure = Failure(f"machine '{machine.name}' is up, but these units failed: {failed}", hint)
        if docker:
            raise failure
        print(failure, file=sys.stderr)  # of another's tree, which may have such units
    while docker:
        status, said = session.ask(machine, ["docker", "info", "--format={{.ID}}"], 30)
        if status == 0:
            return
        if time.monotonic() > deadline:
            raise Failure(f"waited for Docker in machine '{machine.name}': {said}", hint)
        time.sleep(0.1)


def down(machine: Machine) -> None:
    """Return when a machine that was told to switch itself off has done so."""
    deadline = time.monotonic() + DOWN_TIMEOUT_S
    while machine.status() == "running":
        if time.monotonic() > deadline:
            waited = f"waited {DOWN_TIMEOUT_S:.0f} s for machine '{machine.name}' to switch off"
            raise Failure(waited, f"what it said: {machine.console}")
        time.sleep(0.02)


def _running(machine: Machine, deadline: float, before: int | None) -> str:
    """systemd's word on the guest as a whole, once it has finished booting."""
    said = "no process 1 yet"
    hint = f"what it said: {machine.console}"
    while time.monotonic() < deadline:
        if machine.status() != "running":
            raise Failure(f"machine '{machine.name}' went down while it booted", hint)
        pid = machine.pid()
        if pid is not None and pid != before:
            argv = ["systemctl", "is-system-running", "--wait"]
            try:
                _, said = session.ask(machine, argv, deadline - time.monotonic())
            except (Failure, OSError):
                # Its first moments: not yet, or no longer, a process that can be joined.
                said = "process 1 cannot be joined"
            if said in ("running", "degraded"):
                return said
        time.sleep(0.02)
    raise Failure(f"waited {UP_TIMEOUT_S:.0f} s for machine '{machine.name}' to boot: {said}", hint)
